namespace Uniscale.Experiments.Verification;

/// <summary>Layouts that are worth proving: every kind alone, and the combinations that are used, up to 8 ranks.</summary>
public static class LayoutCatalogue
{
    /// <summary>A dozen that touch every kind, quick to run.</summary>
    public static IReadOnlyList<string> Default { get; } =
    [
        "dp2",
        "dp4 zero1",
        "dp2 zero2",
        "dp2 zero3",
        "tp2",
        "tp2 sp",
        "pp2",
        "pp2 interleaved",
        "pp2 zb",
        "cp2",
        "cp2 ulysses",
        "recompute-block",
        "tp2 pp2 dp2 zero1",
        "tied pp2",
        "mask cp2",
    ];

    /// <summary>Every kind alone and the useful combinations.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        // Data parallelism and ZeRO, whole and hybrid groups.
        "dp2", "dp4", "dp8",
        "dp2 zero1", "dp4 zero1", "dp4 zero2", "dp4 zero3", "dp8 zero3",
        "dp4 zero1 group2", "dp4 zero2 group2", "dp4 zero3 group2", "dp8 zero3 group4",

        // Pipelines.
        "pp2 gpipe", "pp4 gpipe", "pp2", "pp4", "pp2 interleaved", "pp2 zb", "pp4 zb",

        // Tensor and sequence parallelism.
        "tp2", "tp4", "tp8", "tp2 sp", "tp4 sp", "tp8 sp",

        // Context parallelism.
        "cp2", "cp4", "cp2 ulysses", "cp4 ulysses",

        // Recomputation.
        "recompute-selective", "recompute-block", "recompute-every2", "dp2 recompute-block zero3",

        // Combinations.
        "pp2 dp2", "pp2 dp2 zero1", "pp2 dp2 zero2", "pp2 dp2 zero3", "pp2 dp4 zero2 group2", "pp2 dp2 zb zero2", "pp2 dp2 interleaved zero3",
        "tp2 dp2", "tp2 dp2 zero1", "tp2 dp2 zero3", "tp2 dp4 zero3 group2", "tp2 sp dp2 zero2",
        "tp2 pp2", "tp2 sp pp2 gpipe", "tp2 sp pp2 zb", "tp2 pp2 interleaved", "tp2 pp4",
        "cp2 dp2", "cp2 dp2 zero3", "cp2 ulysses dp2 zero1", "cp2 pp2", "cp2 tp2", "cp2 tp2 sp", "cp2 ulysses tp2 sp", "cp2 pp2 dp2 zero2",
        "tp2 pp2 dp2", "tp2 pp2 dp2 zero1", "tp2 sp pp2 dp2 zero2", "tp2 pp2 dp2 zero3", "tp2 sp pp2 dp2 zb zero3 recompute-block",
        // Tied embeddings, document masks with uneven counts of valid tokens, and GPT-2's kind of block.
        "tied dp2 zero3", "tied tp2 sp", "tied pp2", "tied pp4 zb", "tied pp2 interleaved dp2 zero1", "tied pp2 dp2 zero2", "tied tp2 pp2 dp2 zero3",
        "mask dp4 zero2", "mask cp2", "mask cp4 ulysses", "mask tp2 sp pp2", "mask cp2 tp2 sp pp2",
        "gpt2 tp2 sp", "gpt2 tied pp2 dp2 zero1", "gpt2 mask cp2 tp2",

        "cp2 tp2 pp2", "cp2 tp2 sp pp2 zb recompute-selective", "tp4 sp dp2 zero3", "pp4 dp2 zero1",
    ];
}
