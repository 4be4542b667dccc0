using Uniscale.Planning.Memory;
using Uniscale.Planning.Plans;
using Uniscale.Planning.Published;

namespace Uniscale.Planning.Clusters;

/// <summary>A layout that was run here.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Spec">The layout.</param>
/// <param name="Seconds">Median seconds of a step.</param>
/// <param name="ResidentBytes">Highest resident memory of the process that held all ranks.</param>
public sealed record MeasuredLayout(string Name, StepSpecification Spec, double Seconds, double ResidentBytes);

/// <summary>Turns measured layouts into the cluster file of the machine that ran them.</summary>
public static class MachineFit
{
    private static readonly string[] Free = ["matmul", "attention", "memory", "node_link", "overhead", "step_overhead"];

    /// <summary>A cluster with the machine's measured peaks, its constants fitted on the layouts, and memory figures that do not under-estimate any of them.</summary>
    /// <param name="machine">Name, peaks and bandwidths as measured; its first stack says how the kernels go about it.</param>
    /// <param name="layouts">What was run; the smallest gives the memory of a process without tensors.</param>
    /// <param name="source">How it was measured, for the file.</param>
    public static ClusterFile Of(ClusterFile machine, IReadOnlyList<MeasuredLayout> layouts, string source)
    {
        var start = machine.Stacks[0] with { Constants = new ConstantsSection { Matmul = 0.7, Attention = 0.3, Memory = 0.5, NodeLink = 0.5, FabricLink = 1, Overhead = 2e-5, StepOverhead = 1e-3 } };
        var cluster = new Cluster(machine, machine.Name);
        var rows = layouts.Select(layout => ConstantsFit.RowOf(new StepPlanner(layout.Spec, cluster), start, layout.Seconds)).ToArray();
        var constants = new ConstantsFit(rows, start.Constants, Free).Run();
        var stack = start with { Constants = constants, Free = Free, Source = source };
        var smallest = layouts.MinBy(layout => TensorBytes(layout.Spec, cluster, stack))!;
        double context = Math.Max(0, smallest.ResidentBytes - TensorBytes(smallest.Spec, cluster, stack));
        double margin = layouts.Max(layout => (layout.ResidentBytes - context) / TensorBytes(layout.Spec, cluster, stack) - 1);
        return machine with
        {
            Stacks = [stack],
            Process = new ProcessSection
            {
                Context = new Figure { Value = Text(context), Source = source },
                Workspace = new Figure { Value = "0", Source = "within context and fragmentation" },
                Fragmentation = new Figure { Value = Text(Math.Max(0, margin)), Source = source },
            },
        };
    }

    /// <summary>Bytes of the process that holds all ranks of a layout: what a process takes once, and the rest for each rank.</summary>
    public static double ProcessBytes(StepSpecification spec, Cluster cluster, StackSection stack) =>
        (cluster.ContextBytes ?? 0) + Accounts(spec, cluster, stack).Sum(account => account.KnownBytes - (cluster.ContextBytes ?? 0));

    private static double TensorBytes(StepSpecification spec, Cluster cluster, StackSection stack) =>
        Accounts(spec, cluster, stack).Sum(account => account.KnownBytes);

    private static IEnumerable<MemoryAccount> Accounts(StepSpecification spec, Cluster cluster, StackSection stack)
    {
        var generator = new ProgramGenerator(spec);
        return Enumerable.Range(0, spec.Mesh.Size).Select(rank => MemoryAccount.Of(spec, generator.Generate(rank), cluster, stack));
    }

    private static string Text(double value) => value.ToString("0.####", System.Globalization.CultureInfo.InvariantCulture);
}
