using System.Runtime.InteropServices;
using Uniscale.Kernels.Cpu;

namespace Uniscale.Kernels.Tests.Cpu;

public sealed class OpenMpRuntimeTests
{
    [Fact]
    public void ThreadsAreToldToSpinShortlyBeforeTheLibraryIsLoaded()
    {
        Assert.True(CpuKernels.IsSupported || CpuKernels.InstructionSet == InstructionSet.Baseline);
        if (Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is { Length: > 0 })
            return;
        string expected = Environment.GetEnvironmentVariable("GOMP_SPINCOUNT") ?? "1000";
        Assert.Equal(expected, Marshal.PtrToStringUTF8(getenv("GOMP_SPINCOUNT")));
    }

    [DllImport("libc", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern nint getenv(string name);
}
