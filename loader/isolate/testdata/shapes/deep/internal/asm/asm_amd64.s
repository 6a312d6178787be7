#include "textflag.h"
#include "go_asm.h"
#include "../hdr/defs.h"

TEXT ·defined(SB), NOSPLIT, $FRAME-8
	MOVQ $ANSWER, ret+0(FP)
	RET

TEXT ·constant(SB), NOSPLIT, $FRAME-8
	MOVQ $const_tens, ret+0(FP)
	RET

TEXT ·field(SB), NOSPLIT, $FRAME-16
	MOVQ p+0(FP), AX
	MOVQ pair_value(AX), AX
	MOVQ AX, ret+8(FP)
	RET
