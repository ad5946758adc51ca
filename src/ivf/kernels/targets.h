// Included before Highway: which instruction sets the kernels are compiled for.
#pragma once

// The register tiles need vectors whose size the compiler knows. SVE's have none; such machines run the NEON kernels.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

// AVX-512 with VNNI and VPOPCNTDQ is a target of its own, off unless asked for.
#define HWY_WANT_AVX3_DL 1
