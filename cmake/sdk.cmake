# sdk.cmake - the SDK as a library that people link: libstatefun.so.1, libstatefun.a, its headers, and what CMake
# and pkg-config say of it.
#
# It consists of the rooms sdk and serve, and of what they need of those below. Its sources are compiled once more,
# position-independent and with hidden symbols, so that the rooms of the runtime stay as they are; it needs the C
# library and nothing else.
include(GNUInstallDirs)

file(GLOB sdk_sources CONFIGURE_DEPENDS src/sdk/*.c src/serve/*.c)
file(GLOB sdk_support CONFIGURE_DEPENDS src/base/*.c src/wire/*.c src/loop/*.c)
foreach(name body http_connection http_server listen socket)
  list(APPEND sdk_support src/net/${name}.c)
endforeach()

add_library(sdk_objects OBJECT ${sdk_sources} src/base/status.c)
list(REMOVE_ITEM sdk_support ${CMAKE_CURRENT_SOURCE_DIR}/src/base/status.c)
add_library(sdk_support STATIC ${sdk_support}) # an archive: of these, only what is needed
foreach(target sdk_objects sdk_support)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
  target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections)
endforeach()

set(sdk_headers status value statefun module serve protobuf)
list(TRANSFORM sdk_headers PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/include/statefun/)
list(TRANSFORM sdk_headers APPEND .h)

add_library(libstatefun SHARED $<TARGET_OBJECTS:sdk_objects>)
target_link_libraries(libstatefun PRIVATE sdk_support Threads::Threads)
target_include_directories(libstatefun INTERFACE $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_options(libstatefun PRIVATE -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/cmake/statefun.map
                    -Wl,--gc-sections -Wl,-z,defs)
set_target_properties(libstatefun PROPERTIES OUTPUT_NAME statefun VERSION 1.${PROJECT_VERSION_MINOR}.${PROJECT_VERSION_PATCH} SOVERSION 1
                      EXPORT_NAME statefun LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cmake/statefun.map)

# One object, in which only the public symbols can be seen.
set(sdk_archive ${CMAKE_CURRENT_BINARY_DIR}/libstatefun.a)
add_custom_command(
  OUTPUT ${sdk_archive}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o statefun-sdk.o $<TARGET_OBJECTS:sdk_objects>
          $<TARGET_FILE:sdk_support>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden statefun-sdk.o
  COMMAND ${CMAKE_COMMAND} -E rm -f ${sdk_archive}
  COMMAND ${CMAKE_AR} rcs ${sdk_archive} statefun-sdk.o
  DEPENDS sdk_objects $<TARGET_OBJECTS:sdk_objects> sdk_support
  BYPRODUCTS statefun-sdk.o
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(libstatefun_archive ALL DEPENDS ${sdk_archive})
add_library(libstatefun_static STATIC IMPORTED GLOBAL)
set_target_properties(libstatefun_static PROPERTIES IMPORTED_LOCATION ${sdk_archive}
                      INTERFACE_INCLUDE_DIRECTORIES ${CMAKE_CURRENT_SOURCE_DIR}/include)
set_property(TARGET libstatefun_static PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads)
add_dependencies(libstatefun_static libstatefun_archive)

# --- what is installed ---

include(CMakePackageConfigHelpers)
set(sdk_package ${CMAKE_INSTALL_LIBDIR}/cmake/statefun)
configure_package_config_file(cmake/statefun-config.cmake.in statefun-config.cmake INSTALL_DESTINATION ${sdk_package}
                              PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(statefun-config-version.cmake COMPATIBILITY SameMajorVersion)
# Relative, so that all of it may be moved.
file(RELATIVE_PATH sdk_pc_to_prefix /root/${CMAKE_INSTALL_LIBDIR}/pkgconfig /root)
configure_file(cmake/statefun.pc.in statefun.pc @ONLY)

install(TARGETS libstatefun EXPORT statefun-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT statefun-targets NAMESPACE statefun:: DESTINATION ${sdk_package})
install(FILES ${sdk_archive} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${sdk_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/statefun)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/statefun-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/statefun-config-version.cmake DESTINATION ${sdk_package})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/statefun.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
