namespace Uniscale.Planning.Tests;

/// <summary>Small layouts.</summary>
internal static class Specs
{
    public static readonly ModelShape Model = new(8, 64, 4, 4, 16, 256, 512, 64, GatedFfn: false, TiedEmbeddings: false);

    public static StepSpecification Of(
        int pipeline = 1,
        int data = 1,
        int tensor = 1,
        int microbatches = 4,
        int zero = 0,
        int context = 1
    ) =>
        new()
        {
            Model = Model,
            Mesh = new MeshShape(pipeline, data, context, tensor),
            Microbatches = microbatches,
            MicrobatchSize = 1,
            ZeroStage = zero,
            ZeroGroup = zero == 0 ? 1 : data * context,
            ActivationBytes = 2,
        };
}
