using Uniscale.Checkpoints.Saving;
using Uniscale.Engine.Execution;
using Uniscale.Telemetry;
using Uniscale.Training.Runtime;
using static TorchSharp.torch;

namespace Uniscale.Training.Runs;

/// <summary>
/// Tells telemetry, every so many steps, how weights and gradients of each block are spread. Every rank counts the elements that it speaks
/// for, and rank 0 adds them up, so that the histograms are the model's whatever the layout. Collective.
/// </summary>
/// <param name="telemetry">Receives them on rank 0.</param>
/// <param name="every">Steps from one to the next.</param>
internal sealed class HistogramCallback(RunTelemetry telemetry, int every) : ITrainingCallback
{
    /// <summary>Elements read at once: a copy of them is made.</summary>
    private const long Stretch = 1 << 20;

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        // After a rollback the weights are those of another step.
        if (outcome.Position.Step % every != 0 || outcome.Incident?.BackTo is not null || outcome.PolicyRests)
            return;
        byte[][]? parts = GroupExchange.Gather(runtime.World.HostGroup, Bytes(Count(runtime.Model)));
        if (parts is null)
            return;
        var all = new SortedDictionary<(int Block, bool OfGradients), ValueHistogram>();
        foreach (byte[] part in parts)
            Merge(part, all);
        int head = runtime.Specification.Model.Head;
        foreach (var ((block, ofGradients), values) in all)
            telemetry.Histogram(
                new HistogramReport(outcome.Position.Step, $"{(ofGradients ? "gradients" : "weights")}/{NameOf(block, head)}", values)
            );
    }

    private static string NameOf(int block, int head) =>
        block == 0 ? "embedding"
        : block == head ? "head"
        : $"block-{block:000}";

    private static Dictionary<(int Block, bool OfGradients), ValueHistogram> Count(RankState model)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var counted = new Dictionary<(int Block, bool OfGradients), ValueHistogram>();
        foreach (var (block, weights, gradients) in model.OwnElements())
        {
            Add((block, false), weights);
            Add((block, true), gradients);
        }
        return counted;

        void Add((int Block, bool OfGradients) key, Tensor elements)
        {
            if (!counted.TryGetValue(key, out var histogram))
                counted[key] = histogram = new ValueHistogram();
            for (long at = 0; at < elements.numel(); at += Stretch)
            {
                using var part = elements.narrow(0, at, Math.Min(Stretch, elements.numel() - at));
                histogram.Add(model.Link.Read<float>(part));
            }
        }
    }

    private static byte[] Bytes(Dictionary<(int Block, bool OfGradients), ValueHistogram> counted)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        writer.Write(counted.Count);
        foreach (var ((block, ofGradients), histogram) in counted)
        {
            writer.Write(block);
            writer.Write(ofGradients);
            histogram.Write(writer);
        }
        writer.Flush();
        return bytes.ToArray();
    }

    private static void Merge(byte[] part, SortedDictionary<(int Block, bool OfGradients), ValueHistogram> all)
    {
        using var reader = new BinaryReader(new MemoryStream(part));
        for (int left = reader.ReadInt32(); left > 0; left--)
        {
            var key = (reader.ReadInt32(), reader.ReadBoolean());
            var histogram = ValueHistogram.Read(reader);
            if (all.TryGetValue(key, out var known))
                known.Add(histogram);
            else
                all[key] = histogram;
        }
    }
}
