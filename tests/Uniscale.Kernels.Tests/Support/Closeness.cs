using static TorchSharp.torch;

namespace Uniscale.Kernels.Tests.Support;

/// <summary>Comparison of tensors by norm.</summary>
internal static class Closeness
{
    /// <summary>‖actual − expected‖ / ‖expected‖.</summary>
    public static double RelativeError(Tensor actual, Tensor expected)
    {
        using var scope = NewDisposeScope();
        var reference = expected.to(float64);
        double error = Norm(actual.to(float64) - reference);
        double size = Norm(reference);
        return size == 0 ? error : error / size;
    }

    private static double Norm(Tensor x) => x.to(float64).square().sum().sqrt().item<double>();

    /// <summary>
    /// Compares gradients by name. One that is zero but for rounding (the bias of keys without rotary positions, to which softmax is
    /// blind) has no relative error: it must be small beside all gradients together. One that nearly cancels (that bias with rotary
    /// positions) is rounded like the terms it is summed of, so a hundredth of all gradients together counts beside its own size.
    /// </summary>
    public static void AssertGradients(IReadOnlyList<(string Name, Tensor Actual, Tensor Expected)> gradients, double bound)
    {
        using var scope = NewDisposeScope();
        double total = Math.Sqrt(gradients.Sum(g => Math.Pow(Norm(g.Expected), 2)));
        foreach (var (name, actual, expected) in gradients)
        {
            if (Norm(expected) < 0.1 * bound * total)
                Assert.True(Norm(actual) < bound * total, $"{name}: {Norm(actual):E2} should vanish");
            else
                AssertWithin(name, actual, expected, bound, Norm(expected) + (0.01 * total));
        }
    }

    private static void AssertWithin(string name, Tensor actual, Tensor expected, double bound, double size)
    {
        Assert.Equal(expected.shape, actual.shape);
        double error = Norm(actual.to(float64) - expected.to(float64)) / size;
        Assert.True(error <= bound, $"{name}: error {error:E2} of {size:E2} is above {bound:E2}");
    }

    /// <summary>Fails with the name and both sizes where the error passes the bound.</summary>
    public static void AssertClose(string name, Tensor actual, Tensor expected, double bound)
    {
        Assert.Equal(expected.shape, actual.shape);
        double error = RelativeError(actual, expected);
        Assert.True(error <= bound, $"{name}: relative error {error:E2} is above {bound:E2}");
    }
}
