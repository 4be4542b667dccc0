using Uniscale.Kernels.Cpu;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Kernels.Tests.Cpu;

public sealed class OneOpenMpTests
{
    /// <summary>Two runtimes would be two teams of threads on the same processors, and two settings of their number.</summary>
    [Fact]
    public void KernelsAndLibtorchShareOneRuntimeAndNoOtherLibtorchIsThere()
    {
        Assert.True(CpuKernels.IsSupported);
        using var x = zeros(4).add(Scalars.Of(1));
        var loaded = File.ReadLines("/proc/self/maps").Select(line => line.Split('/')[^1]).Distinct().ToList();
        Assert.Single(
            loaded,
            name => name.StartsWith("libgomp", StringComparison.Ordinal) || name.StartsWith("libomp", StringComparison.Ordinal)
        );
        Assert.Single(loaded, name => name.StartsWith("libtorch_cpu", StringComparison.Ordinal));
        Assert.Contains("libuniscale_kernels.so", loaded);
    }
}
