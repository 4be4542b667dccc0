using System.Diagnostics;
using Uniscale.Configuration;
using Uniscale.Kernels;
using Uniscale.Kernels.Cpu;
using Uniscale.Kernels.Optimizer;
using Uniscale.Kernels.Reference;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>
/// Each kernel alone at the sizes of the two benchmark models, as training calls it: GEMM against the peak, the rest against a plain copy,
/// both measured
/// between the rounds. Bytes are what a kernel must read and write at least.
/// </summary>
/// <param name="type">fp32 or bf16.</param>
/// <param name="threads">Threads.</param>
/// <param name="rounds">Rounds; the median counts.</param>
/// <param name="only">Kernels whose name contains this.</param>
public sealed class KernelBenchmark(ScalarType type, int threads, int rounds, string only = "") : IDisposable
{
    private const double Epsilon = 1e-5;

    private static readonly TimeSpan PeakDuration = TimeSpan.FromMilliseconds(10);

    private readonly long _bytes = type == ScalarType.BFloat16 ? 2 : 4;

    private readonly Lazy<PlainCopy> _copy = new(() => new PlainCopy());

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_copy.IsValueCreated)
            _copy.Value.Dispose();
    }

    /// <summary>Measures kernel after kernel.</summary>
    public IEnumerable<Measurement> Run()
    {
        TorchThreads.Set(threads);
        using var noGrad = no_grad();
        using var native = new NativeKernels(packWeights: true);
        IKernels kernels = CpuKernels.IsSupported ? native : TorchKernels.Instance;
        foreach (var group in (IEnumerable<Measurement?>[])[Products(kernels), Attentions(kernels), Elementwise(kernels), Updates()])
            foreach (var measurement in group)
                if (measurement is not null)
                    yield return measurement;
    }

    private IEnumerable<Measurement?> Products(IKernels kernels)
    {
        foreach (
            var (rows, input, output) in ((long, long, long)[])
                [(4096, 384, 384), (4096, 384, 1536), (4096, 1536, 384), (2048, 768, 768), (2048, 768, 3072), (2048, 3072, 768)]
        )
        {
            using var scope = NewDisposeScope();
            var (x, weight, gradient) = (Random(rows, input), Random(output, input), Random(rows, output));
            var accumulator = zeros([output, input], float32);
            string size = $"{rows} x {input} x {output}";
            double flops = 2.0 * rows * input * output;
            yield return AgainstPeak("linear", size, flops, () => kernels.Linear(x, weight, null).Dispose());
            yield return AgainstPeak("linear, input gradient", size, flops, () => kernels.LinearInputGradient(gradient, weight).Dispose());
            yield return AgainstPeak(
                "linear, weight gradient",
                size,
                flops,
                () => kernels.AccumulateWeightGradient(accumulator, gradient, x)
            );
        }
    }

    private IEnumerable<Measurement?> Attentions(IKernels kernels)
    {
        foreach (var (batch, length, heads, dim) in ((long, long, long, long)[])[(16, 256, 6, 64), (4, 512, 12, 64), (1, 16384, 6, 64)])
        {
            using var scope = NewDisposeScope();
            var (q, k, v, gradient) = (
                Random(batch, length, heads, dim),
                Random(batch, length, heads, dim),
                Random(batch, length, heads, dim),
                Random(batch, length, heads, dim)
            );
            var mask = new AttentionMask(Causal: true);
            var result = kernels.Attention(q, k, v, mask, keepProbabilities: false);
            var delta = (gradient.to(float32) * result.Output).sum(-1).transpose(1, 2).contiguous();
            // The masked half is not computed: two GEMMs forward, five backward.
            double pairs = (double)batch * heads * length * (length + 1) / 2;
            string size = $"{batch} x {length}, {heads} heads of {dim}, causal";
            yield return AgainstPeak(
                "attention",
                size,
                4 * pairs * dim,
                () =>
                {
                    using var inner = NewDisposeScope();
                    kernels.Attention(q, k, v, mask, keepProbabilities: false);
                }
            );
            yield return AgainstPeak(
                "attention, backward",
                size,
                10 * pairs * dim,
                () =>
                {
                    using var inner = NewDisposeScope();
                    kernels.AttentionBackward(gradient, q, k, v, result.LogSumExp, delta, mask, result.Probabilities, type);
                }
            );
        }
    }

    private IEnumerable<Measurement?> Elementwise(IKernels kernels)
    {
        const long rows = 16384,
            dim = 768,
            entries = 32000,
            tokens = 512;
        using var scope = NewDisposeScope();
        var (x, gradient, weight, bias) = (Random(rows, dim), Random(rows, dim), Random(dim), Random(dim));
        var norm = kernels.Norm(NormKind.LayerNorm, x, weight, bias, Epsilon);
        string size = $"{rows} x {dim}";
        long count = rows * dim;
        yield return AgainstCopy(
            "layer norm",
            size,
            2 * count * _bytes,
            () => Scoped(() => kernels.Norm(NormKind.LayerNorm, x, weight, bias, Epsilon))
        );
        yield return AgainstCopy(
            "layer norm, backward",
            size,
            3 * count * _bytes,
            () => Scoped(() => kernels.NormBackward(NormKind.LayerNorm, gradient, x, weight, norm.Mean, norm.Scale))
        );
        yield return AgainstCopy("gelu", size, 2 * count * _bytes, () => kernels.Gelu(x).Dispose());
        yield return AgainstCopy("gelu, backward", size, 3 * count * _bytes, () => kernels.GeluBackward(gradient, x).Dispose());
        yield return AgainstCopy("swiglu", size, 3 * count * _bytes, () => kernels.Swiglu(x, gradient).Dispose());
        var (logits, targets) = (rand([tokens, entries]), randint(0, entries, [tokens], int64));
        yield return AgainstCopy(
            "loss statistics",
            $"{tokens} x {entries}",
            tokens * entries * 4,
            () => Scoped(() => kernels.LossStatistics(logits, targets))
        );
        var scale = ones([tokens], float32);
        yield return AgainstCopy(
            "loss and gradient",
            $"{tokens} x {entries}",
            tokens * entries * (4 + _bytes),
            () => Scoped(() => kernels.CrossEntropy(logits, targets, scale, type))
        );
    }

    private IEnumerable<Measurement?> Updates()
    {
        const long count = 16 << 20;
        using var scope = NewDisposeScope();
        var kernel = NativeOptimizerKernel.For(CPU);
        var (weights, gradient, first, second) = (rand(count), rand(count), rand(count), rand(count));
        var rounded = type == ScalarType.BFloat16 ? empty([count], ScalarType.BFloat16) : null;
        var step = new AdamWStep(1e-3, 0.9, 0.95, 1e-8, 0.1, 10, 0.5);
        // The sum of squares for the clip reads the gradients; AdamW reads four numbers and writes three, and the bf16 copy where there is
        // one.
        long bytes = count * (4 + 28 + (rounded is null ? 0 : 2));
        yield return AgainstCopy(
            "optimizer: clip, AdamW, cast",
            $"{count >> 20}M parameters",
            bytes,
            () =>
            {
                kernel.SumOfSquares(gradient).Dispose();
                kernel.AdamW(weights, rounded, gradient, first, second, step);
            }
        );
    }

    private Measurement? AgainstPeak(string name, string size, double flops, Action body)
    {
        if (!name.Contains(only, StringComparison.Ordinal))
            return null;
        var kind = type == ScalarType.BFloat16 ? KernelType.BFloat16 : KernelType.Float32;
        var (seconds, peak) = Time(body, () => PeakSpeed.Flops(kind, threads, PeakDuration));
        return new Measurement(name, Detail(size), seconds, flops / seconds, Yardstick.Peak, peak);
    }

    private Measurement? AgainstCopy(string name, string size, long bytes, Action body)
    {
        if (!name.Contains(only, StringComparison.Ordinal))
            return null;
        var (seconds, copy) = Time(body, () => _copy.Value.Bandwidth(threads));
        return new Measurement(name, Detail(size), seconds, bytes / seconds, Yardstick.Copy, copy);
    }

    private string Detail(string size) => $"{size}, {(type == ScalarType.BFloat16 ? "bf16" : "fp32")}";

    private (double Seconds, double Yardstick) Time(Action body, Func<double> yardstick)
    {
        var (seconds, yardsticks) = (new double[rounds], new double[rounds]);
        body();
        for (int round = 0; round < rounds; round++)
        {
            yardsticks[round] = yardstick();
            // What the yardstick left in the caches is not what training leaves there.
            body();
            long start = Stopwatch.GetTimestamp();
            body();
            seconds[round] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        return (Statistics.Median(seconds), Statistics.Median(yardsticks));
    }

    private static void Scoped<T>(Func<T> body)
    {
        using var scope = NewDisposeScope();
        body();
    }

    private Tensor Random(params long[] shape) => randn(shape).to(type);
}
