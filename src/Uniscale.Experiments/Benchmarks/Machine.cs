using System.Globalization;
using Uniscale.Kernels.Cpu;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>What a benchmark tells of where it ran.</summary>
public static class Machine
{
    /// <summary>Name of the processor, its logical cores, and the instructions that the kernels use.</summary>
    public static string Processor()
    {
        string name = Line("/proc/cpuinfo", "model name") ?? "unknown processor";
        return $"{name}, {Environment.ProcessorCount} cores, kernels for {CpuKernels.InstructionSet}";
    }

    /// <summary>Runnable threads of the last minute on average; NaN where the system does not say.</summary>
    public static double LoadAverage() =>
        File.Exists("/proc/loadavg")
            ? double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture)
            : double.NaN;

    private static string? Line(string path, string key) =>
        !File.Exists(path)
            ? null
            : File.ReadLines(path).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal))?.Split(':', 2)[1].Trim();
}
