using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Uniscale.Training.Tests.Devices;

/// <summary>
/// Elements of tensors are read, and made out of numbers of the host, in Devices alone; elsewhere only where tensors lie in host memory by
/// their nature.
/// </summary>
public sealed partial class HostReadsTests
{
    /// <summary>Files whose tensors are the host's, and why.</summary>
    private static readonly Dictionary<string, string> OfTheHost = new()
    {
        ["Training/Feeding/SequenceBatch.cs"] = "columns are filled from the data before they are brought over",
        ["Training/Runtime/RankRuntime.Rollouts.cs"] = "what all ranks have found is put together on the host, once a batch",
        ["Training/Faults/Damage.cs"] = "a bit of host memory is turned over on purpose",
        ["Training/Runs/PeakMeasurement.cs"] = "the peak is measured before the first step",
        ["Engine/Initialization/ParameterInitializer.cs"] = "first weights are drawn on the host",
        ["Engine/Execution/TimelineExchange.cs"] = "timelines go over the host's group",
        ["Engine/Execution/ReplicaGuard.cs"] = "bytes are hashed where they lie",
        ["Engine/Buckets/WeightsAlone.cs"] = "weights to start from are read before the first step",
        ["Engine/Decoding/Decoder.cs"] = "generation runs on the CPU",
        ["Engine/Parallel/Sequences/CachedSequences.cs"] = "generation runs on the CPU",
    };

    [Fact]
    public void NoOtherFileOfEngineAndTrainingReadsElements()
    {
        string source = Path.GetFullPath(Path.Combine(Here(), "../../../../src"));
        var readers = ((string[])["Engine", "Training"])
            .SelectMany(project =>
                Directory
                    .EnumerateFiles(Path.Combine(source, $"Uniscale.{project}"), "*.cs", SearchOption.AllDirectories)
                    .Select(path =>
                        (
                            Name: $"{project}/{Path.GetRelativePath(Path.Combine(source, $"Uniscale.{project}"), path).Replace('\\', '/')}",
                            Text: File.ReadAllText(path)
                        )
                    )
            )
            .Where(file =>
                !file.Name.StartsWith("Engine/Devices/", StringComparison.Ordinal) && !file.Name.Contains("/obj/", StringComparison.Ordinal)
            )
            .Where(file => Reading().IsMatch(file.Text))
            .Select(file => file.Name)
            .Order(StringComparer.Ordinal);
        Assert.Equal(OfTheHost.Keys.Order(StringComparer.Ordinal), readers);
    }

    private static string Here([CallerFilePath] string path = "") => path;

    [GeneratedRegex(
        @"\.item<|\.cpu\(|\.data<|\.bytes\b|\bReadCpu\w+\(|\.To(Double|Single|Int32|Int64|Boolean)\(\)|(?<!_ => )from_array\(|\.nonzero\(|\.masked_select\("
    )]
    private static partial Regex Reading();
}
