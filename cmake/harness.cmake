# harness.cmake - libstatefun-harness.a: what people link their tests with, instead of the SDK, which it contains.
#
# One object of the rooms harness, sdk, engine and what they need of those below, in which only the public symbols
# can be seen. They are weak, so that a program may link the SDK beside it. It needs the C library and nothing else.
include(GNUInstallDirs)

file(GLOB harness_sources CONFIGURE_DEPENDS src/harness/*.c src/sdk/*.c src/base/status.c)
file(GLOB harness_support CONFIGURE_DEPENDS src/engine/*.c src/wire/*.c src/base/*.c)
list(FILTER harness_support EXCLUDE REGEX /status.c$)
list(APPEND harness_support ${harness_net_sources})
add_library(harness_objects OBJECT ${harness_sources})
add_library(harness_support STATIC ${harness_support}) # an archive: of these, only what is needed
foreach(target harness_objects harness_support)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections)
endforeach()

set(harness_archive ${CMAKE_CURRENT_BINARY_DIR}/libstatefun-harness.a)
add_custom_command(
  OUTPUT ${harness_archive}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o statefun-harness.o $<TARGET_OBJECTS:harness_objects>
          $<TARGET_FILE:harness_support>
  COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=sf_* --weaken-symbol=sf_* statefun-harness.o
  COMMAND ${CMAKE_COMMAND} -E rm -f ${harness_archive}
  COMMAND ${CMAKE_AR} rcs ${harness_archive} statefun-harness.o
  DEPENDS harness_objects $<TARGET_OBJECTS:harness_objects> harness_support
  BYPRODUCTS statefun-harness.o
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(libstatefun_harness_archive ALL DEPENDS ${harness_archive})
add_library(libstatefun_harness STATIC IMPORTED GLOBAL)
set_target_properties(libstatefun_harness PROPERTIES IMPORTED_LOCATION ${harness_archive}
                      INTERFACE_INCLUDE_DIRECTORIES ${CMAKE_CURRENT_SOURCE_DIR}/include)
set_property(TARGET libstatefun_harness PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads)
add_dependencies(libstatefun_harness libstatefun_harness_archive)

# Relative, so that all of it may be moved.
file(RELATIVE_PATH harness_pc_to_prefix /root/${CMAKE_INSTALL_LIBDIR}/pkgconfig /root)
configure_file(cmake/statefun-harness.pc.in statefun-harness.pc @ONLY)
install(FILES ${harness_archive} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/statefun/harness.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/statefun)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/statefun-harness.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
