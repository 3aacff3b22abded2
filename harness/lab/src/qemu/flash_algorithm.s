@ The flash algorithm of the emulated board, as probe-rs runs it on the core: position-independent
@ Thumb code that touches no stack and no data of its own (CMSIS-Pack, "Flash Programming").
@
@ Behind each instruction stand its bytes; the target description holds the same bytes in base64,
@ and a test compares the two. To make them anew:
@
@   llvm-mc -triple=thumbv7em-none-eabi -filetype=obj flash_algorithm.s -o flash_algorithm.o
@   llvm-objcopy -O binary -j .text flash_algorithm.o flash_algorithm.bin
@   base64 -w0 flash_algorithm.bin

@ Offset 0x00. init(address, clock, operation), uninit(operation) -> 0
init:
  movs r0, #0               @ 00 20
  bx lr                     @ 70 47

@ Offset 0x04. erase sector(address) -> 0, for sectors of 64 KiB
erase_64k:
  mov.w r1, #0x10000        @ 4F F4 80 31
  b erase                   @ 01 E0

@ Offset 0x0A. erase sector(address) -> 0, for sectors of 4 KiB
erase_4k:
  mov.w r1, #0x1000         @ 4F F4 80 51
erase:
  add r1, r0                @ 01 44
  mvn r2, #0                @ 6F F0 00 02
fill:
  str r2, [r0], #4          @ 40 F8 04 2B
  cmp r0, r1                @ 88 42
  blo fill                  @ FB D3
  movs r0, #0               @ 00 20
  bx lr                     @ 70 47

@ Offset 0x20. program page(address, length, buffer) -> 0; length is a multiple of 4. As in NOR
@ flash, programming turns ones into zeros and nothing else.
program:
  ldr r3, [r2], #4          @ 52 F8 04 3B
  ldr.w r12, [r0]           @ D0 F8 00 C0
  and.w r3, r3, r12         @ 03 EA 0C 03
  str r3, [r0], #4          @ 40 F8 04 3B
  subs r1, #4               @ 04 39
  bhi program               @ F5 D8
  movs r0, #0               @ 00 20
  bx lr                     @ 70 47
