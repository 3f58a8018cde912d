/* x' = W tanh(x) by RK4, one thread: the floor of the tables.

   The lanes are last and advance in blocks of LANES, so that a block stays in
   cache through all its steps. The tanh is the rational form that XLA uses, so that
   no difference of speed comes from a cheaper tanh.

   Set on the command line: N, REAL_BITS (32 or 64), LANES a block, VBYTES a vector,
   and the register tile, TI rows by TV vectors, of the product W s. */
#include <stddef.h>
#if REAL_BITS == 32
typedef float real;
#else
typedef double real;
#endif
#define VL (VBYTES/sizeof(real))
typedef real vec __attribute__((vector_size(VBYTES), may_alias));

#if REAL_BITS == 64
/* Coefficients of the odd numerator (P) and the even denominator (Q). */
#define C0 0x1.1b6d58f246197p+4
#define P18 0x1.f9f82e5d782dfp-76
#define P16 0x1.c3c836c04b4c8p-61
#define P14 0x1.c3379f905e662p-49
#define P12 0x1.29aff6c8edd96p-38
#define P10 0x1.525a389dce7c2p-29
#define P8 0x1.708819be51cd9p-21
#define P6 0x1.8996f4026a7fap-14
#define P4 0x1.87f80b957ed00p-8
#define P2 0x1.36fba9b450e5ap-3
#define Q18 0x1.e8630cf903250p-68
#define Q16 0x1.0aabca9a5fea0p-54
#define Q14 0x1.232981aa2bba8p-43
#define Q12 0x1.ee2f015ea8065p-34
#define Q10 0x1.81f1947c52304p-25
#define Q8 0x1.26c82ab46d140p-17
#define Q6 0x1.b2e7c4d488c04p-11
#define Q4 0x1.1998830265b50p-5
#define Q2 0x1.f0d32a2f7dc79p-2
#endif

static inline __attribute__((always_inline)) real tanh_(real x) {
#if REAL_BITS == 32
  const real c = 7.99881172180175781f;
  x = x < -c ? -c : x; x = x > c ? c : x;
  real x2 = x * x;
  real p = x2 * -2.76076847742355e-16f + 2.00018790482477e-13f;
  p = x2 * p + -8.60467152213735e-11f; p = x2 * p + 5.12229709037114e-08f;
  p = x2 * p + 1.48572235717979e-05f; p = x2 * p + 6.37261928875436e-04f;
  p = x2 * p + 4.89352455891786e-03f;
  real q = x2 * 1.19825839466702e-06f + 1.18534705686654e-04f;
  q = x2 * q + 2.26843463243900e-03f; q = x2 * q + 4.89352518554385e-03f;
  return x * p / q;
#else
  const real c = C0;
  x = x < -c ? -c : x; x = x > c ? c : x;
  real x2 = x * x;
  real p = x2 * P18 + P16; p = x2 * p + P14; p = x2 * p + P12; p = x2 * p + P10; p = x2 * p + P8;
  p = x2 * p + P6; p = x2 * p + P4; p = x2 * p + P2; p = x2 * p + 1.0;
  real q = x2 * Q18 + Q16; q = x2 * q + Q14; q = x2 * q + Q12; q = x2 * q + Q10; q = x2 * q + Q8;
  q = x2 * q + Q6; q = x2 * q + Q4; q = x2 * q + Q2; q = x2 * q + 1.0;
  return x * p / q;
#endif
}

#if N <= 8
/* The whole step of one lane in registers; the lane loop is what gcc vectorises. */
static inline __attribute__((always_inline)) void field(const real *W, const real *x, real *k) {
  real s[N];
#pragma GCC unroll 8
  for (int i = 0; i < N; i++) s[i] = tanh_(x[i]);
#pragma GCC unroll 8
  for (int i = 0; i < N; i++) {
    real a = W[i * N] * s[0];
#pragma GCC unroll 8
    for (int j = 1; j < N; j++) a += W[i * N + j] * s[j];
    k[i] = a;
  }
}
static void block(const real *restrict W, real *restrict y, long steps, real h) {
  for (long t = 0; t < steps; t++) {
#pragma GCC ivdep
    for (int l = 0; l < LANES; l++) {
      real x[N], k[N], a[N], z[N];
#pragma GCC unroll 8
      for (int i = 0; i < N; i++) x[i] = y[i * LANES + l];
      field(W, x, k);
#pragma GCC unroll 8
      for (int i = 0; i < N; i++) { a[i] = k[i]; z[i] = x[i] + (h / 2) * k[i]; }
      field(W, z, k);
#pragma GCC unroll 8
      for (int i = 0; i < N; i++) { a[i] += 2 * k[i]; z[i] = x[i] + (h / 2) * k[i]; }
      field(W, z, k);
#pragma GCC unroll 8
      for (int i = 0; i < N; i++) { a[i] += 2 * k[i]; z[i] = x[i] + h * k[i]; }
      field(W, z, k);
#pragma GCC unroll 8
      for (int i = 0; i < N; i++) y[i * LANES + l] = x[i] + (h / 6) * (a[i] + k[i]);
    }
  }
}
#else
/* s = tanh(x) a row at a time, then k = W s in register tiles; the update rides on the tile's store. */
static inline __attribute__((always_inline)) void stage(
    const real *restrict W, const real *restrict x, real *restrict s, real *restrict y,
    real *restrict acc, real *restrict z, real c, real b, int kind) {
  for (int e = 0; e < N * LANES; e++) s[e] = tanh_(x[e]);
  for (int l0 = 0; l0 < LANES; l0 += TV * VL)
    for (int i0 = 0; i0 < N; i0 += TI) {
      vec a[TI][TV];
#pragma GCC unroll 16
      for (int i = 0; i < TI; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TV; v++) a[i][v] = (vec){};
      for (int j = 0; j < N; j++) {
#pragma GCC unroll 16
        for (int i = 0; i < TI; i++)
#pragma GCC unroll 16
          for (int v = 0; v < TV; v++)
            a[i][v] += W[(i0 + i) * N + j] * *(const vec *)(s + j * LANES + l0 + v * VL);
      }
#pragma GCC unroll 16
      for (int i = 0; i < TI; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TV; v++) {
          size_t e = (size_t)(i0 + i) * LANES + l0 + v * VL;
          vec *Y = (vec *)(y + e), *A = (vec *)(acc + e), *Z = (vec *)(z + e);
          if (kind == 0) { *A = *Y + b * a[i][v]; *Z = *Y + c * a[i][v]; }
          else if (kind == 1) { *A += b * a[i][v]; *Z = *Y + c * a[i][v]; }
          else *Y = *A + b * a[i][v];
        }
    }
}
static void block(const real *restrict W, real *restrict y, long steps, real h) {
  static _Thread_local real s[N * LANES] __attribute__((aligned(64)));
  static _Thread_local real acc[N * LANES] __attribute__((aligned(64)));
  static _Thread_local real z[N * LANES] __attribute__((aligned(64)));
  for (long t = 0; t < steps; t++) {
    stage(W, y, s, y, acc, z, h / 2, h / 6, 0);
    stage(W, z, s, y, acc, z, h / 2, h / 3, 1);
    stage(W, z, s, y, acc, z, h, h / 3, 1);
    stage(W, z, s, y, acc, z, 0, h / 6, 2);
  }
}
#endif

void rk4(const real *W, real *y, long lanes, long steps, double h) {
  static _Thread_local real b[N * LANES] __attribute__((aligned(64)));
  for (long l = 0; l < lanes; l += LANES) {
    for (int i = 0; i < N; i++) for (int k = 0; k < LANES; k++) b[i * LANES + k] = y[i * lanes + l + k];
    block(W, b, steps, (real)h);
    for (int i = 0; i < N; i++) for (int k = 0; k < LANES; k++) y[i * lanes + l + k] = b[i * LANES + k];
  }
}
