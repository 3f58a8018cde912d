// x' = W tanh(x) by RK4, all steps in one launch: the kernels written by hand that the
// others are measured against. Defined when compiled:
//
//   N           neurons
//   REAL        float or double
//   FAST        1: tanh without branches, absolute error 1e-7 (float only)
//   CONSTANT    1: W in constant memory, else in shared memory (`by_lane`)
//   VEC         lanes a thread has in registers (`by_lane`)
//   BT, TM, TN  lanes a block; rows and lanes a thread of its product (`by_tile`)
//
// States are (N, lanes), contiguous, so that neighbouring threads read neighbours.

#ifndef N
#define N 2
#endif
#ifndef REAL
#define REAL float
#endif
#ifndef FAST
#define FAST 0
#endif
#ifndef CONSTANT
#define CONSTANT 0
#endif
#ifndef VEC
#define VEC 1
#endif
#ifndef BT
#define BT 64
#endif
#ifndef TM
#define TM 8
#endif
#ifndef TN
#define TN 4
#endif

#if FAST
__device__ __forceinline__ float activate(float x) {
  // 1 - 2 / (e^2x + 1), two special functions; right at both infinities.
  float e, r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(e) : "f"(x * 2.8853900817779268f));
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(e + 1.0f));
  return fmaf(-2.0f, r, 1.0f);
}
#else
__device__ __forceinline__ float activate(float x) { return tanhf(x); }
#endif
__device__ __forceinline__ double activate(double x) { return tanh(x); }

// What each stage adds to the result, and how far from y the next stage looks.
__device__ __forceinline__ REAL share_of(int stage, REAL h) {
  return stage == 0 || stage == 3 ? h / REAL(6) : h / REAL(3);
}
__device__ __forceinline__ REAL reach_of(int stage, REAL h) {
  return stage == 2 ? h : h / REAL(2);
}

#if N <= 32
// Macros are not expanded in a pragma.
constexpr int STAGES_UNROLLED = N <= 8 ? 4 : 1;

extern "C" {
__constant__ REAL weight_constant[N * N];
}

// VEC whole lanes a thread, in registers. For N <= 8 everything is unrolled; above, the
// loop over stages stays a loop, so that the code fits the instruction cache.
extern "C" __global__ void by_lane(const REAL* __restrict__ weight,
                                   const REAL* __restrict__ y0,
                                   REAL* __restrict__ out, long long lanes,
                                   int steps, REAL h) {
#if CONSTANT
#define WEIGHT(i, j) weight_constant[(i) * N + (j)]
#else
  __shared__ REAL weight_shared[N * N];
  for (int i = threadIdx.x; i < N * N; i += blockDim.x) weight_shared[i] = weight[i];
  __syncthreads();
#define WEIGHT(i, j) weight_shared[(i) * N + (j)]
#endif
  const long long stride = (long long)gridDim.x * blockDim.x;
  const long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  REAL y[VEC][N], total[VEC][N], s[VEC][N], z[VEC][N];
#pragma unroll
  for (int v = 0; v < VEC; ++v) {
    const long long lane = first + v * stride;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      y[v][i] = lane < lanes ? y0[i * lanes + lane] : REAL(0);
      z[v][i] = y[v][i];
      total[v][i] = y[v][i];
    }
  }
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
#pragma unroll STAGES_UNROLLED
    for (int stage = 0; stage < 4; ++stage) {
      const REAL share = share_of(stage, h), reach = reach_of(stage, h);
#pragma unroll
      for (int v = 0; v < VEC; ++v) {
#pragma unroll
        for (int i = 0; i < N; ++i) s[v][i] = activate(z[v][i]);
      }
#pragma unroll
      for (int i = 0; i < N; ++i) {
#pragma unroll
        for (int v = 0; v < VEC; ++v) {
          REAL k = WEIGHT(i, 0) * s[v][0];
#pragma unroll
          for (int j = 1; j < N; ++j) k = fma(WEIGHT(i, j), s[v][j], k);
          total[v][i] = fma(share, k, total[v][i]);
          z[v][i] = fma(reach, k, y[v][i]);
        }
      }
    }
#pragma unroll
    for (int v = 0; v < VEC; ++v) {
#pragma unroll
      for (int i = 0; i < N; ++i) y[v][i] = z[v][i] = total[v][i];
    }
  }
#pragma unroll
  for (int v = 0; v < VEC; ++v) {
    const long long lane = first + v * stride;
    if (lane < lanes) {
#pragma unroll
      for (int i = 0; i < N; ++i) out[i * lanes + lane] = y[v][i];
    }
  }
}
#endif

#if N >= 32
// BT lanes a block, (N / TM) (BT / TN) threads. W, transposed, and tanh of the block's
// states are in shared memory; a thread has TM rows of TN lanes in registers.
extern "C" __global__ void __launch_bounds__((N / TM) * (BT / TN))
    by_tile(const REAL* __restrict__ weight, const REAL* __restrict__ y0,
            REAL* __restrict__ out, long long lanes, int steps, REAL h) {
  extern __shared__ __align__(16) unsigned char memory[];
  REAL* turned = (REAL*)memory;      // [N][N], turned[j][i] = W[i][j]
  REAL* active = turned + N * N;     // [N][BT]
  const int column = TN * (threadIdx.x % (BT / TN));
  const int row = TM * (threadIdx.x / (BT / TN));
  const long long lane = (long long)blockIdx.x * BT + column;
  for (int i = threadIdx.x; i < N * N; i += blockDim.x)
    turned[(i % N) * N + i / N] = weight[i];
  REAL y[TM][TN], total[TM][TN], z[TM][TN];
#pragma unroll
  for (int a = 0; a < TM; ++a) {
#pragma unroll
    for (int b = 0; b < TN; ++b) {
      y[a][b] = lane + b < lanes ? y0[(row + a) * lanes + lane + b] : REAL(0);
      z[a][b] = y[a][b];
      total[a][b] = y[a][b];
    }
  }
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
#pragma unroll 1
    for (int stage = 0; stage < 4; ++stage) {
      const REAL share = share_of(stage, h), reach = reach_of(stage, h);
#pragma unroll
      for (int a = 0; a < TM; ++a) {
#pragma unroll
        for (int b = 0; b < TN; ++b) z[a][b] = activate(z[a][b]);
      }
      __syncthreads();  // everyone has read the stage before
#pragma unroll
      for (int a = 0; a < TM; ++a) {
#pragma unroll
        for (int b = 0; b < TN; ++b) active[(row + a) * BT + column + b] = z[a][b];
      }
      __syncthreads();
#pragma unroll
      for (int a = 0; a < TM; ++a) {
#pragma unroll
        for (int b = 0; b < TN; ++b) z[a][b] = REAL(0);
      }
#pragma unroll 8
      for (int j = 0; j < N; ++j) {
        REAL w[TM], s[TN];
#pragma unroll
        for (int a = 0; a < TM; ++a) w[a] = turned[j * N + row + a];
#pragma unroll
        for (int b = 0; b < TN; ++b) s[b] = active[j * BT + column + b];
#pragma unroll
        for (int a = 0; a < TM; ++a) {
#pragma unroll
          for (int b = 0; b < TN; ++b) z[a][b] = fma(w[a], s[b], z[a][b]);
        }
      }
#pragma unroll
      for (int a = 0; a < TM; ++a) {
#pragma unroll
        for (int b = 0; b < TN; ++b) {
          total[a][b] = fma(share, z[a][b], total[a][b]);
          z[a][b] = fma(reach, z[a][b], y[a][b]);
        }
      }
    }
#pragma unroll
    for (int a = 0; a < TM; ++a) {
#pragma unroll
      for (int b = 0; b < TN; ++b) y[a][b] = z[a][b] = total[a][b];
    }
  }
#pragma unroll
  for (int a = 0; a < TM; ++a) {
#pragma unroll
    for (int b = 0; b < TN; ++b)
      if (lane + b < lanes) out[(row + a) * lanes + lane + b] = y[a][b];
  }
}
#endif
