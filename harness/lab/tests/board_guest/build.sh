#!/bin/sh
# Assembles and links guest.elf. Needs LLVM's assembler, linker and objcopy.
set -eu
cd "$(dirname "$0")"
llvm-mc --triple=thumbv7em-none-eabi --filetype=obj -g --fdebug-compilation-dir=harness/lab/tests/board_guest -o guest.o guest.s
ld.lld --nmagic --entry main -T guest.ld -o guest.elf guest.o
format() {
    printf '%s={"package":"guest","tag":"defmt_%s","data":"%s","disambiguator":"%s","crate_name":"guest"}' \
        "$1" "$2" "$3" "$1"
}
llvm-objcopy \
    --redefine-sym "$(format FIRST info first)" \
    --redefine-sym "$(format LAST info last)" \
    --redefine-sym "$(format COUNT debug 'count {=u32:x}')" \
    --redefine-sym "$(format RECORD error '[{=str} {=str}:{=u32}] {=str}: {=str}')" \
    --redefine-sym "$(format TIME timestamp '{=u32:us}')" \
    --redefine-sym "VERSION=_defmt_version_ = 4" \
    --redefine-sym "ENCODING=_defmt_encoding_ = rzcobs" \
    guest.elf
rm guest.o
