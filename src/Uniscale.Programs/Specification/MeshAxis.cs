namespace Uniscale.Programs;

/// <summary>An axis of the mesh of ranks. <see cref="MeshAxis.All"/> says of each what it is.</summary>
public enum Axis
{
    /// <summary>Stages: consecutive blocks of the model.</summary>
    Pipeline,

    /// <summary>Replicas: other samples of the batch.</summary>
    Data,

    /// <summary>Parts of each sequence.</summary>
    Context,

    /// <summary>Parts of each matrix.</summary>
    Tensor,
}

/// <summary>What the ranks of an axis divide among themselves.</summary>
public enum AxisSplit
{
    /// <summary>Blocks of the model: the ranks are stages.</summary>
    Blocks,

    /// <summary>Samples of the batch: the ranks are replicas.</summary>
    Samples,

    /// <summary>Tokens of a sequence; parameters are whole on each rank.</summary>
    Tokens,

    /// <summary>Matrices of a block.</summary>
    Matrices,
}

/// <summary>
/// An axis of the mesh: one record of a table that everything which speaks of all axes is read from (orders, groups, names in messages). A
/// new
/// axis is a member of <see cref="Axis"/>, a record here, and a place in <see cref="Coordinate"/>; what is forgotten throws.
/// </summary>
/// <param name="Axis">The axis.</param>
/// <param name="Name">Its name in configurations and messages, e.g. <c>pipeline</c>.</param>
/// <param name="Letters">Its short form in <c>parallel.order</c> and in layouts such as <c>tp2 pp2</c>.</param>
/// <param name="Split">What its ranks divide.</param>
public sealed record MeshAxis(Axis Axis, string Name, string Letters, AxisSplit Split)
{
    /// <summary>Every axis, in the default order of ranks: slowest first.</summary>
    public static IReadOnlyList<MeshAxis> All { get; } =
    [
        new(Axis.Pipeline, "pipeline", "pp", AxisSplit.Blocks),
        new(Axis.Data, "data", "dp", AxisSplit.Samples),
        new(Axis.Context, "context", "cp", AxisSplit.Tokens),
        new(Axis.Tensor, "tensor", "tp", AxisSplit.Matrices),
    ];

    /// <summary>Axes whose ranks hold the same parameters, so that gradients are summed over them.</summary>
    public static IReadOnlyList<Axis> OfReplicas { get; } = AxesThat(split => split is AxisSplit.Samples or AxisSplit.Tokens);

    /// <summary>Axes whose ranks go through each pass together, because they exchange tensors inside a block.</summary>
    public static IReadOnlyList<Axis> OfLockstep { get; } = AxesThat(split => split is AxisSplit.Tokens or AxisSplit.Matrices);

    /// <summary>Key of its size in a configuration.</summary>
    public string Key => $"parallel.{Name}";

    /// <summary>The record of an axis.</summary>
    public static MeshAxis Of(Axis axis) => All.First(entry => entry.Axis == axis);

    /// <summary>The axis with these letters; null: there is none.</summary>
    public static MeshAxis? Find(string letters) => All.FirstOrDefault(entry => entry.Letters == letters);

    private static Axis[] AxesThat(Func<AxisSplit, bool> isWanted) =>
        [.. All.Where(entry => isWanted(entry.Split)).Select(entry => entry.Axis)];
}
