// Batch norm with an activation after it, for channels last. Each pass reads its tensors once and
// keeps no float32 copy.
//
// A tensor consists of `periods` runs of `width` numbers. `width` is a multiple of the channels and
// of LANES * UNROLL, so that a position in a run always has the same channel, and no pass has a
// remainder. Sums over BLOCK runs are in float32, and sums over all runs are in double.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {
constexpr long LANES = 16, UNROLL = 4, BLOCK = 64;
typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef uint32_t Words __attribute__((vector_size(4 * LANES)));
typedef uint16_t Halves __attribute__((vector_size(2 * LANES)));

struct BFloat16 { uint16_t bits; };

Floats load(const float* from) { Floats x; std::memcpy(&x, from, sizeof x); return x; }

Floats load(const BFloat16* from) {
    Halves bits;
    std::memcpy(&bits, from, sizeof bits);
    return (Floats)(__builtin_convertvector(bits, Words) << 16);
}

void store(float* to, Floats x) { std::memcpy(to, &x, sizeof x); }

void store(BFloat16* to, Floats x) {  // round to nearest, ties to even
    Words bits = (Words)x;
    Halves rounded = __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, Halves);
    std::memcpy(to, &rounded, sizeof rounded);
}

struct Sums { std::vector<double> first, second; };

// Sums of two numbers over all positions of a channel. `pair(place, lane, a, b)` computes them for
// LANES positions.
template <class Pair>
Sums reduce(long periods, long width, long channels, Pair pair) {
    Sums sums{std::vector<double>(channels), std::vector<double>(channels)};
    for (long begin = 0; begin < periods; begin += BLOCK) {
        long end = begin + BLOCK < periods ? begin + BLOCK : periods;
        for (long lane = 0; lane < width; lane += LANES * UNROLL) {
            Floats s[UNROLL] = {}, q[UNROLL] = {};
            for (long run = begin; run < end; ++run)
                for (long u = 0; u < UNROLL; ++u) {
                    Floats a, b;
                    pair(run * width + lane + u * LANES, lane + u * LANES, a, b);
                    s[u] += a;
                    q[u] += b;
                }
            for (long i = 0; i < LANES * UNROLL; ++i) {
                sums.first[(lane + i) % channels] += s[i / LANES][i % LANES];
                sums.second[(lane + i) % channels] += q[i / LANES][i % LANES];
            }
        }
    }
    return sums;
}

template <class Act>
void each(long periods, long width, Act act) {
    for (long run = 0; run < periods; ++run)
        for (long lane = 0; lane < width; lane += LANES) act(run * width + lane, lane);
}

std::vector<float> tiled(const std::vector<float>& values, long width) {
    std::vector<float> all(width);
    for (long i = 0; i < width; ++i) all[i] = values[i % values.size()];
    return all;
}

float value(float x) { return x; }
float value(BFloat16 x) {
    uint32_t bits = uint32_t(x.bits) << 16;
    float y;
    std::memcpy(&y, &bits, sizeof y);
    return y;
}

template <class In>
void forward(const In* x, BFloat16* y, long periods, long width, long channels, const float* gamma,
             const float* beta, float* running_mean, float* running_variance, float momentum,
             float epsilon, bool relu, float* mean, float* invstd) {
    std::vector<float> start(channels);  // subtracted first, so that a large mean loses no digits
    for (long c = 0; c < channels; ++c) start[c] = value(x[c]);
    std::vector<float> origin = tiled(start, width);
    Sums sums = reduce(periods, width, channels, [&](long place, long lane, Floats& a, Floats& b) {
        a = load(x + place) - load(&origin[lane]);
        b = a * a;
    });
    double count = double(periods) * width / channels;
    std::vector<float> scale(channels), shift(channels);
    for (long c = 0; c < channels; ++c) {
        double m = sums.first[c] / count, variance = sums.second[c] / count - m * m;
        variance = variance < 0 ? 0 : variance;
        mean[c] = float(start[c] + m);
        invstd[c] = float(1 / std::sqrt(variance + epsilon));
        scale[c] = gamma[c] * invstd[c];
        shift[c] = beta[c] - mean[c] * scale[c];
        running_mean[c] = momentum * mean[c] + (1 - momentum) * running_mean[c];
        running_variance[c] = float(momentum * variance * count / (count - 1))
                              + (1 - momentum) * running_variance[c];
    }
    std::vector<float> scales = tiled(scale, width), shifts = tiled(shift, width);
    if (relu)
        each(periods, width, [&](long place, long lane) {
            Floats z = load(x + place) * load(&scales[lane]) + load(&shifts[lane]);
            store(y + place, z < 0 ? Floats{} : z);
        });
    else
        each(periods, width, [&](long place, long lane) {
            store(y + place, load(x + place) * load(&scales[lane]) + load(&shifts[lane]));
        });
}

// Gradient of x: gamma invstd (d - mean(d) - n mean(d n)), in one pass after the sums, with
// n = (x - mean) invstd and d the gradient before the activation.
template <class In, bool RELU>
void backward(const BFloat16* g, const In* x, In* dx, long periods, long width, long channels,
              const float* gamma, const float* beta, const float* mean, const float* invstd,
              float* dgamma, float* dbeta) {
    std::vector<float> scale(channels), shift(channels), middle(mean, mean + channels);
    for (long c = 0; c < channels; ++c) {
        scale[c] = gamma[c] * invstd[c];
        shift[c] = beta[c] - mean[c] * scale[c];
    }
    std::vector<float> scales = tiled(scale, width), shifts = tiled(shift, width);
    std::vector<float> means = tiled(middle, width);
    auto pulled = [&](long place, long lane, Floats at) {
        Floats d = load(g + place);
        return RELU ? (at * load(&scales[lane]) + load(&shifts[lane]) <= 0 ? Floats{} : d) : d;
    };
    Sums sums = reduce(periods, width, channels, [&](long place, long lane, Floats& a, Floats& b) {
        Floats at = load(x + place);
        a = pulled(place, lane, at);
        b = a * (at - load(&means[lane]));
    });
    double count = double(periods) * width / channels;
    std::vector<float> slope(channels), constant(channels);
    for (long c = 0; c < channels; ++c) {
        dgamma[c] = float(sums.second[c] * invstd[c]);
        dbeta[c] = float(sums.first[c]);
        double by = scale[c] * sums.second[c] * invstd[c] * invstd[c] / count;
        slope[c] = float(-by);
        constant[c] = float(by * mean[c] - scale[c] * sums.first[c] / count);
    }
    std::vector<float> slopes = tiled(slope, width), constants = tiled(constant, width);
    each(periods, width, [&](long place, long lane) {
        Floats at = load(x + place);
        store(dx + place, pulled(place, lane, at) * load(&scales[lane])
                              + (at * load(&slopes[lane]) + load(&constants[lane])));
    });
}

template <class In>
void backward(const void* g, const void* x, void* dx, long periods, long width, long channels,
              const float* gamma, const float* beta, const float* mean, const float* invstd,
              bool relu, float* dgamma, float* dbeta) {
    (relu ? backward<In, true> : backward<In, false>)(
        (const BFloat16*)g, (const In*)x, (In*)dx, periods, width, channels, gamma, beta, mean,
        invstd, dgamma, dbeta);
}
}  // namespace

extern "C" {
void norm_forward(const void* x, int single, void* y, long periods, long width, long channels,
                  const float* gamma, const float* beta, float* running_mean,
                  float* running_variance, float momentum, float epsilon, int relu, float* mean,
                  float* invstd) {
    if (single)
        forward((const float*)x, (BFloat16*)y, periods, width, channels, gamma, beta,
                running_mean, running_variance, momentum, epsilon, relu, mean, invstd);
    else
        forward((const BFloat16*)x, (BFloat16*)y, periods, width, channels, gamma, beta,
                running_mean, running_variance, momentum, epsilon, relu, mean, invstd);
}

void norm_backward(const void* g, const void* x, int single, void* dx, long periods, long width,
                   long channels, const float* gamma, const float* beta, const float* mean,
                   const float* invstd, int relu, float* dgamma, float* dbeta) {
    (single ? backward<float> : backward<BFloat16>)(
        g, x, dx, periods, width, channels, gamma, beta, mean, invstd, relu, dgamma, dbeta);
}

// Sum of a float32 tensor and a bfloat16 tensor of `count` numbers, a multiple of LANES.
void add(const float* x, const void* change, float* sum, long count) {
    for (long place = 0; place < count; place += LANES)
        store(sum + place, load(x + place) + load((const BFloat16*)change + place));
}
}
