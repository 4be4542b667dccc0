namespace Uniscale.Programs.Tests;

/// <summary>Layouts for tests.</summary>
internal static class Specs
{
    public static readonly ModelShape Tiny = new(
        Layers: 6,
        Hidden: 64,
        Heads: 4,
        KvHeads: 4,
        HeadDim: 16,
        Ffn: 256,
        Vocabulary: 96,
        Context: 32,
        GatedFfn: false,
        TiedEmbeddings: false
    );

    /// <summary>The published shape of the 104B model (shared facts: 82 layers, 80 heads of 128, context 2048, 65.5K entries).</summary>
    public static readonly ModelShape Large104 = new(
        Layers: 82,
        Hidden: 10240,
        Heads: 80,
        KvHeads: 80,
        HeadDim: 128,
        Ffn: 40960,
        Vocabulary: 65536,
        Context: 2048,
        GatedFfn: false,
        TiedEmbeddings: false
    );

    /// <summary>A shape above 200B parameters.</summary>
    public static readonly ModelShape Large200 = Large104 with { Layers = 104, Hidden = 12800, HeadDim = 160, Ffn = 51200 };

    public static StepSpecification Of(
        int pipeline = 1,
        int data = 1,
        int context = 1,
        int tensor = 1,
        int microbatches = 4,
        string schedule = "1f1b",
        int chunks = 1,
        int zero = 0,
        int group = 0,
        bool tied = false
    ) =>
        new()
        {
            Model = Tiny with { TiedEmbeddings = tied },
            Mesh = new MeshShape(pipeline, data, context, tensor),
            Microbatches = microbatches,
            MicrobatchSize = 2,
            Schedule = schedule,
            Chunks = chunks,
            ZeroStage = zero,
            ZeroGroup =
                group > 0 ? group
                : zero > 0 ? data * context
                : 1,
        };
}
