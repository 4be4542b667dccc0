using System.Diagnostics;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>
/// The script for machines with GPUs in its form for the CPU, so that it is known to work where there is a GPU to run it on.
/// </summary>
public sealed class CheckGpuTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Its_form_for_the_CPU_passes()
    {
        Nightly.Only();
        var (code, output) = Run("scripts/check-gpu.sh", "--device", "cpu", "--ranks", "2", "--keep", _folder.In("check"));
        Assert.True(code == 0, output);
        Assert.Contains("9 passed, 0 failed", output);
    }

    [Theory]
    [InlineData("check-gpu: --device is cuda or cpu, not 'tpu'", "--device", "tpu")]
    [InlineData("check-gpu: unknown argument '--gpu'", "--gpu", "1")]
    [InlineData("check-gpu: --ranks wants a value", "--ranks")]
    public void What_it_does_not_know_is_said(string sentence, params string[] arguments)
    {
        var (code, output) = Run("scripts/check-gpu.sh", arguments);
        Assert.Equal(2, code);
        Assert.Contains(sentence, output);
    }

    /// <summary>
    /// Where there is a GPU, the shim counts what libtorch waits for; here a library that stands for it, over the emulator.
    /// </summary>
    [Fact]
    public void The_shim_counts_waits_that_are_called_by_name()
    {
        var (code, output) = Run("tests/NcclEmulator/check-waits.sh");
        Assert.True(code == 0, output);
        Assert.Contains("cudaStreamSynchronize 2", output);
    }

    private static (int Code, string Output) Run(string script, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(Repository.Root, script), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["UNISCALE_PROGRAM"] = Path.Combine(AppContext.BaseDirectory, "uniscale");
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }
}
