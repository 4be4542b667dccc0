using System.Globalization;
using System.Text;

namespace Uniscale.Planning.Clusters;

/// <summary>Writes cluster files.</summary>
public static class ClusterWriter
{
    /// <summary>The text of a file that <see cref="ClusterCatalog.Load"/> reads.</summary>
    public static string Text(ClusterFile file)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"name: {file.Name}");
        text.AppendLine(CultureInfo.InvariantCulture, $"summary: \"{file.Summary}\"");
        Section(
            text,
            "chip",
            [
                ("peak_bf16", file.Chip.PeakBf16),
                ("peak_fp32", file.Chip.PeakFp32),
                ("memory", file.Chip.Memory),
                ("memory_bandwidth", file.Chip.MemoryBandwidth),
            ],
            $"name: \"{file.Chip.Name}\""
        );
        Section(
            text,
            "node",
            [("gpus", file.Node.Gpus), ("link_bandwidth", file.Node.LinkBandwidth), ("link_latency", file.Node.LinkLatency)]
        );
        Section(text, "fabric", [("gpus", file.Fabric.Gpus)]);
        Section(
            text,
            "process",
            [
                ("context", file.Process.Context),
                ("workspace", file.Process.Workspace),
                ("fragmentation", file.Process.Fragmentation),
                ("margin", file.Process.Margin),
            ]
        );
        text.AppendLine("stacks:");
        foreach (var stack in file.Stacks)
        {
            var c = stack.Constants;
            text.AppendLine(CultureInfo.InvariantCulture, $"  - name: {stack.Name}");
            text.AppendLine(CultureInfo.InvariantCulture, $"    source: \"{stack.Source}\"");
            text.AppendLine(
                CultureInfo.InvariantCulture,
                $"    attention: {(stack.Attention == AttentionKind.Flash ? "flash" : "scores")}"
            );
            text.AppendLine(CultureInfo.InvariantCulture, $"    gradient_bytes: {stack.GradientBytes}");
            text.AppendLine(CultureInfo.InvariantCulture, $"    free: [{string.Join(", ", stack.Free)}]");
            text.AppendLine(
                CultureInfo.InvariantCulture,
                $"    constants: {{ matmul: {c.Matmul:G4}, attention: {c.Attention:G4}, memory: {c.Memory:G4}, full_node: {c.FullNode:G4}, node_link: {c.NodeLink:G4}, fabric_link: {c.FabricLink:G4}, overhead: {c.Overhead:G4}, step_overhead: {c.StepOverhead:G4} }}"
            );
        }
        return text.ToString();
    }

    private static void Section(StringBuilder text, string name, (string Key, Figure Figure)[] figures, string? first = null)
    {
        text.AppendLine(CultureInfo.InvariantCulture, $"{name}:");
        if (first is not null)
            text.AppendLine(CultureInfo.InvariantCulture, $"  {first}");
        foreach (var (key, figure) in figures)
            text.AppendLine(
                figure.IsKnown
                    ? string.Create(CultureInfo.InvariantCulture, $"  {key}: {{ value: {figure.Value}, source: \"{figure.Source}\" }}")
                    : string.Create(CultureInfo.InvariantCulture, $"  {key}: {{ value: {Figure.Unknown} }}")
            );
    }
}
