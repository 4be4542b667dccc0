using System.Diagnostics;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace TorchSharp.Tests.Native;

/// <summary>What a call from C# costs over libtorch's own C++ call. At most 2 µs; docs/benchmarks has the figures.</summary>
public partial class CallOverheadTests(ITestOutputHelper output)
{
    private const double BoundNanoseconds = 2000;
    private const int CallCount = 1000;
    private const int BatchCount = 40;

    [Fact]
    public void AnOperatorWithAResult()
    {
        using var scope = NewDisposeScope();
        var (left, right) = (ones(4), ones(4));
        Compare("add", () => left.add(right).Dispose(), () => uniscale_benchmark_add(left.Handle, right.Handle, CallCount));
    }

    [Fact]
    public void AnOperatorInPlace()
    {
        using var scope = NewDisposeScope();
        var (left, right) = (ones(4), ones(4));
        Compare("add_", () => left.add_(right), () => uniscale_benchmark_add_in_place(left.Handle, right.Handle, CallCount));
    }

    [Fact]
    public void AView()
    {
        using var scope = NewDisposeScope();
        var x = ones(2, 2);
        Compare("view", () => x.view(-1).Dispose(), () => uniscale_benchmark_view(x.Handle, CallCount));
    }

    [Fact]
    public void AnOperatorWithManyArguments()
    {
        using var scope = NewDisposeScope();
        var (x, weight, bias) = (ones(2, 8), ones(8), zeros(8));
        long[] shape = [8];
        Compare("layer_norm", () => nn.functional.layer_norm(x, shape, weight, bias).Dispose(),
            () => uniscale_benchmark_layer_norm(x.Handle, weight.Handle, bias.Handle, CallCount));
    }

    // The least of many short batches is what other work on the machine disturbs least.
    private void Compare(string name, Action call, Func<double> reference)
    {
        var ours = double.MaxValue;
        var theirs = double.MaxValue;
        for (var batch = 0; batch < BatchCount; batch++)
        {
            var begin = Stopwatch.GetTimestamp();
            for (var i = 0; i < CallCount; i++)
                call();
            ours = Math.Min(ours, Stopwatch.GetElapsedTime(begin).TotalNanoseconds / CallCount);
            theirs = Math.Min(theirs, reference());
        }
        output.WriteLine($"{name}: C# {ours:F0} ns, C++ {theirs:F0} ns, over {ours - theirs:F0} ns");
        Assert.InRange(theirs, 1, double.MaxValue);
        Assert.True(ours - theirs <= BoundNanoseconds, $"{name} costs {ours - theirs:F0} ns over libtorch's own call.");
    }

    [LibraryImport("uniscale_torch")]
    private static partial double uniscale_benchmark_add(nint left, nint right, long count);

    [LibraryImport("uniscale_torch")]
    private static partial double uniscale_benchmark_add_in_place(nint left, nint right, long count);

    [LibraryImport("uniscale_torch")]
    private static partial double uniscale_benchmark_view(nint tensor, long count);

    [LibraryImport("uniscale_torch")]
    private static partial double uniscale_benchmark_layer_norm(nint input, nint weight, nint bias, long count);
}
