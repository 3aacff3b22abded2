@ A firmware for tests: it counts, echoes what comes down RTT, and does what a word in memory says.
@
@   0x20000000  RTT control block: one channel up (16 KiB), one down (64 bytes)
@   0x20001000  counter of its loop
@   0x20001004  what to do: 0 echo, 1 send as fast as possible, 2 semihosting exit, 3 fault, 4 fault
@               in the fault handler, 5 reset, 6 write to storage, 7 sleep
@
@ guest.bin is made of it by:
@
@   llvm-mc -triple=thumbv7em-none-eabi -filetype=obj guest.s -o guest.o
@   ld.lld -Ttext=0 -e 0 --oformat binary guest.o -o guest.bin

.syntax unified
.thumb
vectors:
  .word 0x20010000, reset + 1, fault + 1, fault + 1
  .space 0x30
reset:
  ldr r4, =0x20000000
  mov r0, r4
  ldr r1, =block
  movs r2, #72
copy:
  ldr r3, [r1], #4
  str r3, [r0], #4
  subs r2, #4
  bne copy
  ldr r5, =0x20001000
  movs r0, #0
  str r0, [r5]
  str r0, [r5, #4]
  movs r6, #0
loop:
  ldr r0, [r5]
  adds r0, #1
  str r0, [r5]
  ldr r1, [r5, #4]
  cmp r1, #1
  beq flood
  cmp r1, #2
  beq call
  cmp r1, #3
  beq trap
  cmp r1, #4
  beq trap
  cmp r1, #5
  beq restart
  cmp r1, #6
  beq store
  cmp r1, #7
  beq sleep
echo:
  ldr r0, [r4, #60]
  ldr r1, [r4, #64]
  cmp r0, r1
  beq loop
  ldr r2, [r4, #52]
  ldrb r3, [r2, r1]
  adds r1, #1
  ldr r2, [r4, #56]
  cmp r1, r2
  it eq
  moveq r1, #0
  str r1, [r4, #64]
  ldr r1, [r4, #36]
  ldr r2, [r4, #28]
  strb r3, [r2, r1]
  adds r1, #1
  ldr r2, [r4, #32]
  cmp r1, r2
  it eq
  moveq r1, #0
  str r1, [r4, #36]
  b loop
flood:
  ldr r0, [r4, #40]
  ldr r1, [r4, #36]
  ldr r2, [r4, #28]
  ldr r7, [r4, #32]
more:
  adds r3, r1, #1
  cmp r3, r7
  it eq
  moveq r3, #0
  cmp r3, r0
  beq full
  strb r6, [r2, r1]
  adds r6, #1
  mov r1, r3
  b more
full:
  str r1, [r4, #36]
  b loop
call:
  movs r0, #0
  str r0, [r5, #4]
  ldr r1, =argument
  movs r0, #0x20
  bkpt #0xAB
  b loop
trap:
  udf #0
restart:
  ldr r0, =0xE000ED0C
  ldr r1, =0x05FA0004
  str r1, [r0]
  b .
store:
  movs r0, #0
  str r0, [r5, #4]
  ldr r0, =0x003F0000
  ldr r1, =0x12345678
  str r1, [r0]
  b loop
sleep:
  wfi
  b sleep
fault:
  ldr r5, =0x20001000
  ldr r1, [r5, #4]
  cmp r1, #4
  bne stay
  udf #0
stay:
  b stay
.align 2
argument:
  .word 0x20026, 0
block:
  .ascii "SEGGER RTT\0\0\0\0\0\0"
  .word 1, 1
  .word name, 0x20004000, 0x4000, 0, 0, 0
  .word name, 0x20002000, 64, 0, 0, 0
name:
  .asciz "defmt"
.align 2
.pool
