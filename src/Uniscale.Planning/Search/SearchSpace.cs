using Uniscale.Configuration;

namespace Uniscale.Planning.Search;

/// <summary>Layouts that a search looks at. What is left out because something else is never worse: gpipe (1F1B keeps less at the same
/// time), and tensor
/// parallelism without sequence parallelism (it keeps more and sends as much).</summary>
public sealed record SearchSpace
{
    /// <summary>Number of ranks, all of which are used.</summary>
    public required int Ranks { get; init; }

    /// <summary>Sequences of a step.</summary>
    public required int GlobalBatch { get; init; }

    /// <summary>Most ranks of the tensor axis; more than a machine has would put every layer's collectives on the network.</summary>
    public required int MostTensor { get; init; }

    /// <summary>Most ranks of the context axis.</summary>
    public int MostContext { get; init; } = 16;

    /// <summary>
    /// Fewest tokens of a sequence that a context rank keeps; shorter parts do not hide the ring (Llama 3 paper, section 3.3.2).
    /// </summary>
    public int FewestTokens { get; init; } = 4096;

    /// <summary>Chunks a stage.</summary>
    public IReadOnlyList<int> Chunks { get; init; } = [1, 2, 3, 4, 5, 6, 7, 8];

    /// <summary>Names of schedules.</summary>
    public IReadOnlyList<string> Schedules { get; init; } = ["1f1b", "interleaved-1f1b", "zero-bubble"];

    /// <summary>ZeRO stages.</summary>
    public IReadOnlyList<int> ZeroStages { get; init; } = [0, 1, 2, 3];

    /// <summary>Sequences of a microbatch.</summary>
    public IReadOnlyList<int> Microbatches { get; init; } = [1, 2, 4, 8, 16];

    /// <summary>What is computed again.</summary>
    public IReadOnlyList<RecomputeKind> Recomputations { get; init; } = [RecomputeKind.None, RecomputeKind.Selective, RecomputeKind.Block];

    /// <summary>Share of the chip's memory that stays free for what the cluster's file does not know.</summary>
    public double Margin { get; init; } = 0.1;

    /// <summary>
    /// Share of memory by which a layout of the front must be smaller than every faster one: what saves less is not worth a simulation.
    /// </summary>
    public double FrontStep { get; init; } = 0.05;

    /// <summary>Layouts shown.</summary>
    public int Top { get; init; } = 10;

    /// <summary>All layouts of the space, those that break a rule included.</summary>
    /// <param name="like">Model, precision and order of axes.</param>
    public IEnumerable<StepSpecification> Of(StepSpecification like)
    {
        foreach (int tensor in Divisors(Ranks).Where(size => size <= MostTensor))
            foreach (
                int context in Divisors(Ranks / tensor)
                    .Where(size => size <= MostContext && (size == 1 || like.Model.Context / size >= FewestTokens))
            )
                foreach (int pipeline in Divisors(Ranks / tensor / context).Where(size => size <= like.Model.BlockCount))
                    foreach (
                        var spec in WithAxes(
                            like,
                            new MeshShape(pipeline, Ranks / tensor / context / pipeline, context, tensor) { Order = like.Mesh.Order }
                        )
                    )
                        yield return spec;
    }

    private IEnumerable<StepSpecification> WithAxes(StepSpecification like, MeshShape mesh)
    {
        if (GlobalBatch % mesh.Data != 0)
            yield break;
        int share = GlobalBatch / mesh.Data;
        foreach (int micro in Microbatches.Where(micro => share % micro == 0))
            foreach (var (schedule, chunks) in Orders(mesh, like.Model))
                foreach (var (stage, group) in Zeros(mesh))
                    foreach (var recompute in Recomputations)
                        yield return like with
                        {
                            Mesh = mesh,
                            MicrobatchSize = micro,
                            Microbatches = share / micro,
                            Schedule = schedule,
                            Chunks = chunks,
                            ZeroStage = stage,
                            ZeroGroup = group,
                            SequenceParallel = mesh.Tensor > 1,
                            Recompute = recompute,
                        };
    }

    /// <summary>Schedules and chunks. One stage has one order; chunks of a schedule that does not interleave are one.</summary>
    private IEnumerable<(string Schedule, int Chunks)> Orders(MeshShape mesh, ModelShape model)
    {
        if (mesh.Pipeline == 1)
            return [("1f1b", 1)];
        return Schedules.SelectMany(schedule =>
            ScheduleRegistry.Find(schedule).Interleaves
                ? Chunks.Where(chunks => chunks > 1 && mesh.Pipeline * chunks <= model.BlockCount).Select(chunks => (schedule, chunks))
                : [(schedule, 1)]
        );
    }

    /// <summary>ZeRO stages with their groups: all replicas, and those of one machine.</summary>
    private IEnumerable<(int Stage, int Group)> Zeros(MeshShape mesh)
    {
        int replicas = mesh.Data * mesh.Context;
        if (replicas == 1)
            return [(0, 1)];
        int near = Math.Max(1, MostTensor / mesh.Tensor);
        int[] groups = new[] { replicas, near }.Where(group => group > 1 && replicas % group == 0).Distinct().ToArray();
        return ZeroStages.SelectMany(stage => stage == 0 ? [(0, 1)] : groups.Select(group => (stage, group)));
    }

    /// <summary>Numbers that divide a whole one, from 1 up.</summary>
    internal static IEnumerable<int> Divisors(int whole) => Enumerable.Range(1, whole).Where(divisor => whole % divisor == 0);
}
