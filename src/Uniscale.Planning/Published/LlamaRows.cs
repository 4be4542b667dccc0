using static Uniscale.Planning.Published.Shapes;

namespace Uniscale.Planning.Published;

/// <summary>Llama 3 405B on H100 (Llama 3 paper, table 4): tensor 8, pipeline 16, fully sharded gradients and optimizer, one layer a chunk.
/// Their TFLOP/s are read as counting attention at half (causal).</summary>
public static class LlamaRows
{
    /// <summary>All of them; the first is fitted on.</summary>
    public static IEnumerable<PublishedRow> All
    {
        get
        {
            yield return Row("405B on 8192", 1, 64, 8192, 32, 430, isFitted: true);
            yield return Row("405B on 16384", 1, 128, 8192, 16, 400, isFitted: false);
            yield return Row(
                "405B on 16384, context 131072",
                16,
                8,
                131072,
                16,
                380,
                isFitted: false,
                "ring attention here, gathered keys and values there; counting attention at half is a reading of ours, which this row alone tells apart"
            );
        }
    }

    private static PublishedRow Row(
        string name,
        int context,
        int data,
        int length,
        int samples,
        double teraflops,
        bool isFitted,
        string note = ""
    )
    {
        var model = Llama(16384, 128, 8, 126, 53248, 128256, length);
        int replicas = data * context;
        var spec = Layout(model, 8, 16, data, 8, samples * data, 1, context) with
        {
            SequenceParallel = true,
            ZeroStage = 1,
            ZeroGroup = replicas,
        };
        double attention = 12.0 * model.Layers * model.Heads * model.HeadDim * length;
        double flops = (Plans.PlannedFlops.PerToken(model) - attention / 2) * samples * data * length;
        return new PublishedRow(
            "Llama 3, table 4",
            name,
            "h100-80-meta",
            "llama3",
            spec,
            flops / (teraflops * 1e12 * spec.Mesh.Size),
            isFitted,
            note.Length > 0 ? note : "gradients are sharded after each backward there, reduced once here"
        );
    }
}
