using Uniscale.Planning.Memory;
using Uniscale.Planning.Plans;
using Uniscale.Planning.Published;

namespace Uniscale.Planning.Clusters;

/// <summary>A layout that was run here.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Spec">The layout.</param>
/// <param name="Threads">Whether its ranks were threads of one process; else they were processes under MPI.</param>
/// <param name="Seconds">Median seconds of a step.</param>
/// <param name="ResidentBytes">Highest resident memory of the process that needed most.</param>
/// <param name="Heaviest">A rank of that process.</param>
public sealed record MeasuredLayout(string Name, StepSpecification Spec, bool Threads, double Seconds, double ResidentBytes, int Heaviest)
{
    /// <summary>The memory of that process as the planner counts it.</summary>
    public double Bytes(Cluster cluster) => new HostAccount(Spec, cluster, savesBehind: true, Threads).OfProcess(Heaviest);

    /// <summary>Ranks of that process.</summary>
    public int Ranks => Threads ? Spec.Mesh.Size : 1;
}

/// <summary>Turns measured layouts into the cluster file of the machine that ran them.</summary>
public static class MachineFit
{
    /// <summary>
    /// How far above the measured layouts predictions stay, for those that were not measured
    /// (docs/benchmarks/planner-machine_2026-12-01.md).
    /// </summary>
    private const double Margin = 0.03;

    /// <summary>Name of the stack whose ranks are processes under MPI, where one was measured.</summary>
    public const string MessagePassing = "uniscale-mpi";

    private static readonly string[] Free = ["matmul", "attention", "memory", "full_node", "node_link", "overhead"],
        FreeOfMessages = ["full_node", "node_link"];

    /// <summary>
    /// A cluster with the machine's measured peaks, its constants fitted on the layouts, and memory figures that do not under-estimate any
    /// of them.
    /// </summary>
    /// <param name="machine">Name, peaks and bandwidths as measured; its first stack says how the kernels go about it.</param>
    /// <param name="layouts">What was run.</param>
    /// <param name="source">How it was measured, for the file.</param>
    public static ClusterFile Of(ClusterFile machine, IReadOnlyList<MeasuredLayout> layouts, string source)
    {
        var start = machine.Stacks[0] with
        {
            Constants = new ConstantsSection
            {
                Matmul = 0.7,
                Attention = 0.3,
                Memory = 0.5,
                FullNode = 0.9,
                NodeLink = 0.5,
                FabricLink = 1,
                Overhead = 2e-5,
            },
        };
        var threads = Fitted(machine, start with { Source = source }, layouts.Where(layout => layout.Threads), Free);
        var processes = layouts.Where(layout => !layout.Threads).ToArray();
        return machine with
        {
            // Processes have their kernels in common with threads; what is theirs is how they talk, and the threads that
            // talk take cores from the ranks.
            Stacks =
                processes.Length == 0
                    ? [threads]
                    : [threads, Fitted(machine, threads with { Name = MessagePassing }, processes, FreeOfMessages)],
            Process = ProcessOf(machine, layouts, source),
        };
    }

    private static StackSection Fitted(ClusterFile machine, StackSection start, IEnumerable<MeasuredLayout> layouts, string[] free)
    {
        var cluster = new Cluster(machine, machine.Name);
        var rows = layouts.Select(layout => ConstantsFit.RowOf(new StepPlanner(layout.Spec, cluster), start, layout.Seconds)).ToArray();
        return start with { Constants = new ConstantsFit(rows, start.Constants, free).Run(), Free = free };
    }

    /// <summary>
    /// The memory of a process without ranks, of a rank without tensors, and the share that freed tensors leave unused: of all that
    /// under-estimate no layout those whose worst
    /// over-estimate is least.
    /// </summary>
    private static ProcessSection ProcessOf(ClusterFile machine, IReadOnlyList<MeasuredLayout> layouts, string source)
    {
        Figure Of(double value) =>
            new() { Value = value.ToString("0.####", System.Globalization.CultureInfo.InvariantCulture), Source = source };
        Cluster With(double fragmentation) =>
            new(
                machine with
                {
                    Process = new ProcessSection
                    {
                        Context = Of(0),
                        Workspace = Of(0),
                        Fragmentation = Of(fragmentation),
                    },
                },
                machine.Name
            );
        // Bytes are linear in the share: two accounts of a layout give those of all shares.
        double[] none = [.. layouts.Select(layout => layout.Bytes(With(0)))],
            whole = [.. layouts.Select(layout => layout.Bytes(With(1)))];
        var best = (Context: 0.0, Workspace: 0.0, Fragmentation: 0.0, Worst: double.PositiveInfinity);
        for (double fragmentation = 0; fragmentation <= 1; fragmentation += 0.02)
            for (double workspace = 0; workspace <= 64 << 20; workspace += 2 << 20)
            {
                double[] ranks =
                [
                    .. layouts.Select((layout, i) => none[i] + fragmentation * (whole[i] - none[i]) + workspace * layout.Ranks),
            ];
                double context = Math.Max(0, layouts.Select((layout, i) => layout.ResidentBytes - ranks[i]).Max());
                double worst = layouts.Select((layout, i) => (ranks[i] + context) / layout.ResidentBytes).Max();
                if (worst < best.Worst)
                    best = (context, workspace, fragmentation, worst);
            }
        return new ProcessSection
        {
            // The margin is on all that a rank has; a process has this once.
            Context = Of(best.Context * (1 + Margin)),
            Workspace = Of(best.Workspace),
            Fragmentation = Of(best.Fragmentation),
            Margin = Of(Margin),
        };
    }
}
