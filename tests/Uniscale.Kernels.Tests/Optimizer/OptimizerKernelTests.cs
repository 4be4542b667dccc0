using Uniscale.Kernels.Optimizer;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Kernels.Tests.Optimizer;

/// <summary>Both kernels against the formula in double precision.</summary>
public sealed class OptimizerKernelTests
{
    [Theory]
    [InlineData(0.0, false)]
    [InlineData(0.1, false)]
    [InlineData(0.1, true)]
    public void ThreeUpdatesEqualTheFormula(double decay, bool native)
    {
        var kernel = Kernel(native);
        using var scope = NewDisposeScope();
        const int count = 70_000;
        var random = new Random(3);
        float[] start = [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
        float[] slope = [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
        var (w, g, m, v) = (tensor(start), tensor(slope), zeros(count), zeros(count));
        var rounded = zeros(count, ScalarType.BFloat16);
        double[] weight = [.. start.Select(x => (double)x)];
        double[] mean = new double[count],
            square = new double[count];
        for (int update = 1; update <= 3; update++)
        {
            var step = new AdamWStep(0.01, 0.9, 0.95, 1e-8, decay, update, GradientScale: 0.5);
            kernel.AdamW(w, rounded, g, m, v, step);
            for (int i = 0; i < count; i++)
            {
                double gradient = slope[i] * 0.5;
                mean[i] = 0.9 * mean[i] + 0.1 * gradient;
                square[i] = 0.95 * square[i] + 0.05 * gradient * gradient;
                double direction = mean[i] / (1 - Math.Pow(0.9, update)) / (Math.Sqrt(square[i] / (1 - Math.Pow(0.95, update))) + 1e-8);
                weight[i] = weight[i] * (1 - 0.01 * decay) - 0.01 * direction;
            }
        }
        float[] result = w.data<float>().ToArray();
        Assert.All(Enumerable.Range(0, count).Where(i => i % 97 == 0), i => Assert.Equal(weight[i], result[i], 5e-6));
        Assert.True(rounded.equal(w.to(ScalarType.BFloat16)).all().item<bool>());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheSumOfSquaresIsExactAndShowsWhatIsNotFinite(bool native)
    {
        using var scope = NewDisposeScope();
        var values = full(200_000, Scalars.Of(0.5f));
        Assert.Equal(50_000, Kernel(native).SumOfSquares(values).item<double>(), 3);
        values[123_456] = float.NaN;
        Assert.False(double.IsFinite(Kernel(native).SumOfSquares(values).item<double>()));
    }

    private static IOptimizerKernel Kernel(bool native) => native ? NativeOptimizerKernel.For(CPU) : new TorchOptimizerKernel();
}
