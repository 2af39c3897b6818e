# embed.cmake - makes C of the files of templates/: their bytes, and a table of them (src/cli/template.h).
#
#   cmake -D DIRECTORY=templates -D OUTPUT=templates.c -P embed.cmake
#
# Each file there is named NAME.in, so that nobody takes it for what it is to become.
file(GLOB_RECURSE files RELATIVE ${DIRECTORY} ${DIRECTORY}/*.in ${DIRECTORY}/.*.in)
list(SORT files)
list(REMOVE_DUPLICATES files)
set(arrays "")
set(table "")
set(number 0)
foreach(file ${files})
  file(READ ${DIRECTORY}/${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "\\.in$" "" name ${file})
  string(APPEND arrays "static const unsigned char text_${number}[] = {${bytes}};\n")
  string(APPEND table "    {\"${name}\", text_${number}, sizeof text_${number}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "/* Made of templates/ by tools/embed.cmake. */\n#include \"cli/template.h\"\n\n"
     "${arrays}\nconst struct template templates[] = {\n${table}    {0},\n};\n")
