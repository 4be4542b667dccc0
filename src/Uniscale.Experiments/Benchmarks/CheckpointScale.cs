using System.Diagnostics;
using System.Security.Cryptography;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Saving;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Model;
using Uniscale.Programs;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>What saving and loading costs beside the bytes of the tensors, on a number of ranks that need not be here.</summary>
/// <param name="Layout">The layout, e.g. <c>tp8 pp4 dp64 zero1</c>.</param>
/// <param name="Ranks">Ranks of the job.</param>
/// <param name="StateBytes">Bytes of all tensors.</param>
/// <param name="SliceCount">Slices of all ranks.</param>
/// <param name="GatheredBytes">Bytes that rank 0 is told by the others when a plan changes; they are told nothing.</param>
/// <param name="PlanSeconds">Rank 0's time to find out what it writes, and to prove that all ranks together write everything once.</param>
/// <param name="PlanBytes">Memory that it keeps for that.</param>
/// <param name="OwnPlanSeconds">Another rank's time to find out what it writes.</param>
/// <param name="ManifestBytes">Bytes that rank 0 writes at the commit.</param>
/// <param name="ManifestSeconds">Its time for that.</param>
/// <param name="ReadSeconds">A rank's time to parse it when it resumes, and to find the places of what it wants.</param>
/// <param name="KeptBytes">Memory that it keeps for that.</param>
/// <param name="ReadBytes">Bytes beside tensors that all ranks of a resume read from storage: the manifest once, headers and digests of
/// each file once, and for each rank the digests of what it wants.</param>
/// <param name="VerifySeconds">Time of <c>checkpoint verify</c> for all but reading tensors.</param>
public sealed record ScaleReport(
    string Layout,
    int Ranks,
    long StateBytes,
    long SliceCount,
    long GatheredBytes,
    double PlanSeconds,
    long PlanBytes,
    double OwnPlanSeconds,
    long ManifestBytes,
    double ManifestSeconds,
    double ReadSeconds,
    long KeptBytes,
    long ReadBytes,
    double VerifySeconds
)
{
    /// <summary>A save and a load by all ranks; null: they were not asked for.</summary>
    public AnnouncerReport? Save { get; init; }
}

/// <summary>
/// Plan, manifest and resume of a layout, with the keys of its real slices and digests of no data: what grows with the number of ranks,
/// without the tensors.
/// </summary>
public sealed class CheckpointScale
{
    private readonly SavedState _state;
    private readonly IReadOnlyList<StateTensor> _tensors;
    private readonly StepSpecification _specification;

    /// <param name="configuration">The run.</param>
    /// <param name="ranks">Ranks of the job; the replicas follow from it.</param>
    public CheckpointScale(RunConfiguration configuration, int ranks)
    {
        (_state, _tensors, _specification) = StateOf(configuration, ranks);
    }

    /// <summary>What the ranks of a layout save.</summary>
    internal static (SavedState State, IReadOnlyList<StateTensor> Tensors, StepSpecification Specification) StateOf(
        RunConfiguration configuration,
        int ranks
    )
    {
        int replicas = Math.Max(1, ranks / configuration.Parallel.ReplicaRanks);
        // The batch says nothing about the state; any that the replicas can divide will do.
        configuration = configuration with
        {
            Parallel = configuration.Parallel with { Data = replicas },
            Batch = new BatchSection { Global = replicas, Micro = 1 },
            Phases = [],
        };
        var specification = SpecificationBuilder.Build(configuration, ranks);
        var type = configuration.Train.Precision == PrecisionKind.Bf16 ? ElementType.BFloat16 : ElementType.Float32;
        var row = Transformer.Blocks(configuration.Model, specification.Model.Vocabulary);
        var parameters = row.SelectMany(block => block.Parameters).DistinctBy(parameter => parameter.Name);
        return (new SavedState(row, specification, type), SavedState.Tensors(parameters, type), specification);
    }

    /// <summary>Measures.</summary>
    public ScaleReport Run()
    {
        int ranks = _specification.Mesh.Size;
        var mine = _state.Of(0).ToArray();
        // Once unmeasured, so that compiling the code is not counted.
        _ = Summary(0, mine);
        var own = Measured(() => Planned(0, mine));
        byte[][] told =
        [
            .. Enumerable.Range(0, ranks).Select(rank => Summary(rank, [.. _state.Of(rank)])),
        ];
        var plan = Measured(() => WorldPlan.Make(own.Result.Plan.Tensors, [.. told.Select(ShardSummary.Read)]));

        string[] digests = [.. told.Select(_ => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Digest.SizeBytes)))];
        var state = new CheckpointState
        {
            Step = 1,
            ConsumedTokens = 1,
            Slices = [],
        };
        var json = Measured(() =>
            ManifestJson.Write(new Committer("", new CheckpointOptions()).Describe(state, plan.Result, digests, ordinal: 1))
        );

        StateSlice[] wanted = [.. _state.Loaded(0)];
        var read = Measured(() => CheckpointReader.Open("", json.Result));
        var found = Measured(() => read.Result.Find(wanted));
        var manifest = read.Result.Manifest;
        var verify = Measured(() => Enumerable.Range(0, manifest.Files.Count).Sum(file => manifest.Parts.In(file).LongCount()));
        long tables = Enumerable
            .Range(0, manifest.Files.Count)
            .Sum(file => manifest.Files[file].HeaderBytes + manifest.Parts.TablesIn(file).Sum(table => table.SizeBytes));
        long wantedDigests =
            found.Result.Sum(part => Digest.ChunkCount(part.Part.Box.Count * part.Tensor.Type.SizeBytes())) * Digest.SizeBytes;
        return new ScaleReport(
            Layout(),
            ranks,
            manifest.Tensors.Sum(tensor => tensor.SizeBytes),
            verify.Result,
            told.Sum(bytes => (long)bytes.Length),
            own.Seconds + plan.Seconds,
            own.Bytes + plan.Bytes,
            own.Seconds,
            json.Result.Length,
            json.Seconds,
            read.Seconds + found.Seconds,
            read.Bytes + found.Bytes,
            json.Result.Length + tables + ranks * wantedDigests,
            read.Seconds + verify.Seconds
        );
    }

    private (SavePlan Plan, ShardImage Image) Planned(int rank, StateSlice[] slices)
    {
        var plan = SavePlan.Make(slices, _tensors, rank);
        return (plan, ShardImage.OfRank(rank, plan.Content));
    }

    private byte[] Summary(int rank, StateSlice[] slices)
    {
        var (plan, image) = Planned(rank, slices);
        return ShardSummary.Of(plan, image).ToBytes();
    }

    private static (T Result, double Seconds, long Bytes) Measured<T>(Func<T> body)
    {
        long before = GC.GetTotalMemory(forceFullCollection: true);
        long start = Stopwatch.GetTimestamp();
        var result = body();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return (result, seconds, Math.Max(0, GC.GetTotalMemory(forceFullCollection: true) - before));
    }

    private string Layout()
    {
        var mesh = _specification.Mesh;
        return string.Join(
            ' ',
            MeshAxis
                .All.Where(axis => mesh[axis.Axis] > 1)
                .Select(axis => $"{axis.Letters}{mesh[axis.Axis]}")
                .Append($"zero{_specification.Sharding}")
        );
    }
}
