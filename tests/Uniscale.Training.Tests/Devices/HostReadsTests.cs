using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Uniscale.Training.Tests.Devices;

/// <summary>Elements of tensors are read, and made out of numbers of the host, in Devices alone; elsewhere only where tensors lie in host memory by their nature.</summary>
public sealed partial class HostReadsTests
{
    /// <summary>Files whose tensors are the host's, and why.</summary>
    private static readonly Dictionary<string, string> OfTheHost = new()
    {
        ["Uniscale.Training/Feeding/SequenceBatch.cs"] = "columns are filled from the data before they are brought over",
        ["Uniscale.Engine/Initialization/ParameterInitializer.cs"] = "first weights are drawn on the host",
        ["Uniscale.Engine/Execution/TimelineExchange.cs"] = "timelines go over the host's group",
        ["Uniscale.Engine/Execution/ReplicaGuard.cs"] = "bytes are hashed where they lie",
        ["Uniscale.Experiments/Verification/RunRecord.cs"] = "tensors are put together from images in host memory",
        ["Uniscale.Engine/Model/Decoder.cs"] = "generation runs on the CPU",
    };

    [Fact]
    public void NoOtherFileOfTheEngineReadsElements()
    {
        string root = Path.GetFullPath(Path.Combine(Here(), "../../../../src"));
        string[] rooms = ["Uniscale.Engine", "Uniscale.Training", "Uniscale.Experiments/Verification"];
        var readers = rooms.SelectMany(room => Directory.EnumerateFiles(Path.Combine(root, room), "*.cs", SearchOption.AllDirectories))
            .Select(path => (Name: Path.GetRelativePath(root, path).Replace('\\', '/'), Text: File.ReadAllText(path)))
            .Where(file => !file.Name.Contains("/Devices/", StringComparison.Ordinal) && !file.Name.Contains("/obj/", StringComparison.Ordinal))
            .Where(file => Reading().IsMatch(file.Text))
            .Select(file => file.Name)
            .Order(StringComparer.Ordinal);
        Assert.Equal(OfTheHost.Keys.Order(StringComparer.Ordinal), readers);
    }

    private static string Here([CallerFilePath] string path = "") => path;

    [GeneratedRegex(@"\.item<|\.cpu\(|\.data<|\.bytes\b|\bReadCpu\w+\(|\.To(Double|Single|Int32|Int64|Boolean)\(\)|(?<!_ => )from_array\(|\.nonzero\(|\.masked_select\(")]
    private static partial Regex Reading();
}
