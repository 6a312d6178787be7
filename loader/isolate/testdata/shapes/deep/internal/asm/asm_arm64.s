#include "textflag.h"
#include "go_asm.h"
#include "../hdr/defs.h"

TEXT ·defined(SB), NOSPLIT, $FRAME-8
	MOVD $ANSWER, R0
	MOVD R0, ret+0(FP)
	RET

TEXT ·constant(SB), NOSPLIT, $FRAME-8
	MOVD $const_tens, R0
	MOVD R0, ret+0(FP)
	RET

TEXT ·field(SB), NOSPLIT, $FRAME-16
	MOVD p+0(FP), R0
	MOVD pair_value(R0), R0
	MOVD R0, ret+8(FP)
	RET
