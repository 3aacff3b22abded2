@ A firmware in miniature for the tests of boards behind a probe. What it does stands in the first
@ word of its factory data. Renew the image with ./build.sh.
    .syntax unified
    .arch armv7e-m
    .thumb
    .cfi_sections .debug_frame

    .section .vectors, "a"
    .word 0x20010000
    .word reset
    .word fault
    .word fault
    .word fault
    .word fault
    .word fault

    .text
    .global main, storage_went_dark
    .type reset, %function
    .type fault, %function
    .type main, %function
    .type storage_went_dark, %function
    .type outer, %function
    .type inner, %function

@ As start-up code does: initial values into RAM, then main.
reset:
    .cfi_startproc
    .cfi_undefined lr
    bl      initialise
    bl      main
    b       .
    .cfi_endproc

initialise:
    ldr     r0, =__data_load
    ldr     r1, =__data_start
    ldr     r2, =__data_end
1:  cmp     r1, r2
    beq     2f
    ldr     r3, [r0], #4
    str     r3, [r1], #4
    b       1b
2:  bx      lr

fault:
    b       .

main:
    .cfi_startproc
    push    {r4, lr}
    .cfi_def_cfa_offset 8
    .cfi_offset r4, -8
    .cfi_offset lr, -4
    movw    r0, #0x0101             @ "first"
    bl      emit
    ldr     r0, =__factory_start
    ldr     r0, [r0]
    cmp     r0, #1
    beq     panics
    cmp     r0, #2
    beq     faults
    cmp     r0, #3
    beq     restarts
    cmp     r0, #4
    beq     floods
    cmp     r0, #5
    beq     corrupts
    cmp     r0, #6
    beq     babbles
    cmp     r0, #7
    beq     writes
    cmp     r0, #8
    beq     stops
    movs    r4, #0
1:  mov     r0, r4
    bl      count
    adds    r4, #1
    cmp     r4, #100
    bne     1b
    movw    r0, #0x0102             @ "last"
    bl      emit
idle:
    wfi
    b       idle

panics:
    bl      emit_panic
    udf     #0

stops:
    bl      emit_panic
    b       .

faults:
    bl      outer
    b       .
    .cfi_endproc

outer:
    .cfi_startproc
    push    {r4, lr}
    .cfi_def_cfa_offset 8
    .cfi_offset r4, -8
    .cfi_offset lr, -4
    bl      inner
    pop     {r4, pc}
    .cfi_endproc

inner:
    .cfi_startproc
    movw    r0, #0
    movt    r0, #0xF000             @ where nothing is
    ldr     r0, [r0]
    bx      lr
    .cfi_endproc

@ Three starts, each with as many lines as the channel holds when nobody reads it.
restarts:
    ldr     r0, =__storage_start
    ldr     r4, [r0]
    adds    r4, #1
    str     r4, [r0]
    mov     r0, r4
    bl      count
    cmp     r4, #2                  @ erased storage holds -1
    beq     idle
    movw    r0, #0x0102
    bl      emit
    ldr     r0, =0xE000ED0C         @ AIRCR
    ldr     r1, =0x05FA0004         @ SYSRESETREQ
    dsb
    str     r1, [r0]
    dsb
    b       .

floods:
    movs    r4, #0
1:  mov     r0, r4
    bl      count
    adds    r4, #1
    b       1b

@ The control block loses its senses for a while.
corrupts:
    ldr     r0, =up
    mvn     r1, #0
1:  ldr     r3, [r0, #12]
    ldr     r2, [r0, #16]
    cmp     r2, r3
    bne     1b
    str     r1, [r0, #12]
    ldr     r2, =20000000
2:  subs    r2, #1
    bne     2b
    bl      initialise
    movw    r0, #0x0102
    bl      emit
    b       idle

@ Bytes between two frames that are none.
babbles:
    movs    r4, #0
1:  mov     r0, r4
    bl      count
    movs    r0, #0x55
    bl      put
    movs    r0, #0x66
    bl      put
    movs    r0, #0
    bl      put
    adds    r4, #1
    cmp     r4, #10
    bne     1b
    movw    r0, #0x0102
    bl      emit
    b       idle

@ As soon as the power is limited, storage is written byte by byte until it fails.
writes:
    ldr     r0, =STORAGE_WRITE_BUDGET
1:  ldr     r1, [r0]
    adds    r2, r1, #1
    beq     1b
    ldr     r2, =__storage_start
    movs    r3, #1
2:  ldr     r1, [r0]
    cmp     r1, #0
    beq     3f
    subs    r1, #1
    str     r1, [r0]
    strb    r3, [r2], #1
    adds    r3, #1
    b       2b

storage_went_dark:
3:  cpsid   i
    b       .

@ Logs the frame with the index r0 and nothing else.
emit:
    push    {r4, lr}
    mov     r4, r0
    bl      head
    movs    r0, #0x40
    bl      put
    movs    r0, #0
    bl      put
    pop     {r4, pc}

@ Logs the number r0, of 28 bits, seven of them to a byte whose highest bit is set.
count:
    push    {r4, r5, r6, lr}
    mov     r4, r0
    movw    r0, #0x0103
    bl      head
    movs    r5, #4
1:  and     r0, r4, #0x7F
    orr     r0, r0, #0x80
    bl      put
    lsrs    r4, r4, #7
    subs    r5, #1
    bne     1b
    movs    r0, #0x83
    bl      put
    movs    r0, #0
    bl      put
    pop     {r4, r5, r6, pc}

@ Index r0 and time.
head:
    push    {r4, lr}
    mov     r4, r0
    uxtb    r0, r4
    bl      put
    lsrs    r0, r4, #8
    bl      put
    movs    r4, #4
1:  movs    r0, #1
    bl      put
    subs    r4, #1
    bne     1b
    pop     {r4, pc}

emit_panic:
    push    {r4, r5, r6, lr}
    ldr     r4, =panic_frame
    ldr     r5, =panic_frame_end
1:  ldrb    r0, [r4], #1
    bl      put
    cmp     r4, r5
    bne     1b
    pop     {r4, r5, r6, pc}

@ One byte into the channel; waits for room if the host asked for that, else drops it.
put:
    push    {r4, r5, lr}
    ldr     r1, =up
1:  ldr     r2, [r1, #12]
    ldr     r3, [r1, #16]
    ldr     r5, [r1, #8]
    adds    r4, r2, #1
    cmp     r4, r5
    it      eq
    moveq   r4, #0
    cmp     r4, r3
    bne     2f
    ldr     r5, [r1, #20]
    and     r5, r5, #3
    cmp     r5, #2
    beq     1b
    pop     {r4, r5, pc}
2:  ldr     r5, [r1, #4]
    strb    r0, [r5, r2]
    dmb
    str     r4, [r1, #12]
    pop     {r4, r5, pc}

    .ltorg
    .section .rodata, "a"
name:
    .asciz  "defmt"
    .include "panic.inc"

    .data
    .global _SEGGER_RTT, STORAGE_WRITE_BUDGET
_SEGGER_RTT:
    .ascii  "SEGGER RTT\0\0\0\0\0\0"
    .word   1, 0
up: .word   name, buffer, 16384, 0, 0, 0
STORAGE_WRITE_BUDGET:
    .word   -1

    .bss
buffer:
    .space  16384

    .section .defmt, ""
    .space  0x101
    .global FIRST, LAST, COUNT, RECORD, TIME, VERSION, ENCODING
@ build.sh gives them the names by which defmt knows its formats.
FIRST:
    .byte   0
LAST:
    .byte   0
COUNT:
    .byte   0
RECORD:
    .byte   0
TIME:
    .byte   0
    .set    VERSION, 4
    .set    ENCODING, 0
