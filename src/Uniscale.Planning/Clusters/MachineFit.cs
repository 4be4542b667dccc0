using Uniscale.Planning.Memory;
using Uniscale.Planning.Plans;
using Uniscale.Planning.Published;

namespace Uniscale.Planning.Clusters;

/// <summary>A layout that was run here.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Spec">The layout.</param>
/// <param name="Seconds">Median seconds of a step.</param>
/// <param name="ResidentBytes">Highest resident memory of the process that held all ranks.</param>
public sealed record MeasuredLayout(string Name, StepSpecification Spec, double Seconds, double ResidentBytes)
{
    /// <summary>Its memory as the planner counts it: threads of one process, which saves nothing.</summary>
    public HostAccount Account(Cluster cluster) => new(Spec, cluster, savesBehind: false, threads: true);
}

/// <summary>Turns measured layouts into the cluster file of the machine that ran them.</summary>
public static class MachineFit
{
    /// <summary>Percent of tensors that come and go.</summary>
    private const int MostFragmentation = 100;

    private static readonly string[] Free = ["matmul", "attention", "memory", "node_link", "overhead", "step_overhead"];

    /// <summary>A cluster with the machine's measured peaks, its constants fitted on the layouts, and memory figures that do not under-estimate any of them.</summary>
    /// <param name="machine">Name, peaks and bandwidths as measured; its first stack says how the kernels go about it.</param>
    /// <param name="layouts">What was run.</param>
    /// <param name="source">How it was measured, for the file.</param>
    public static ClusterFile Of(ClusterFile machine, IReadOnlyList<MeasuredLayout> layouts, string source)
    {
        var start = machine.Stacks[0] with { Constants = new ConstantsSection { Matmul = 0.7, Attention = 0.3, Memory = 0.5, NodeLink = 0.5, FabricLink = 1, Overhead = 2e-5, StepOverhead = 1e-3 } };
        var cluster = new Cluster(machine, machine.Name);
        var rows = layouts.Select(layout => ConstantsFit.RowOf(new StepPlanner(layout.Spec, cluster), start, layout.Seconds)).ToArray();
        var constants = new ConstantsFit(rows, start.Constants, Free).Run();
        var stack = start with { Constants = constants, Free = Free, Source = source };
        var (context, fragmentation) = ProcessOf(machine, layouts);
        return machine with
        {
            Stacks = [stack],
            Process = new ProcessSection
            {
                Context = new Figure { Value = Text(context), Source = source },
                Workspace = new Figure { Value = "0", Source = "within context and fragmentation" },
                Fragmentation = new Figure { Value = Text(fragmentation), Source = source },
            },
        };
    }

    /// <summary>The memory of a process without ranks, and the share that freed tensors leave unused: of all pairs that under-estimate no layout the one whose worst over-estimate is least.</summary>
    private static (double Context, double Fragmentation) ProcessOf(ClusterFile machine, IReadOnlyList<MeasuredLayout> layouts) =>
        Enumerable.Range(0, MostFragmentation + 1).Select(percent =>
        {
            double fragmentation = percent / 100.0;
            var figures = machine.Process with { Context = new Figure(), Fragmentation = new Figure { Value = Text(fragmentation), Source = "being fitted" } };
            var cluster = new Cluster(machine with { Process = figures }, machine.Name);
            double[] ranks = [.. layouts.Select(layout => layout.Account(cluster).Of(0, layout.Spec.Mesh.Size))];
            double context = Math.Max(0, layouts.Zip(ranks, (layout, bytes) => layout.ResidentBytes - bytes).Max());
            return (Context: context, Fragmentation: fragmentation, Worst: layouts.Zip(ranks, (layout, bytes) => (bytes + context) / layout.ResidentBytes).Max());
        }).OrderBy(pair => pair.Worst).Select(pair => (pair.Context, pair.Fragmentation)).First();

    private static string Text(double value) => value.ToString("0.####", System.Globalization.CultureInfo.InvariantCulture);
}
