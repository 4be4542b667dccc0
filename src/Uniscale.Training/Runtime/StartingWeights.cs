using Uniscale.Checkpoints;
using Uniscale.Configuration;
using Uniscale.Engine.Buckets;
using Uniscale.Engine.Execution;
using Uniscale.Engine.Model;

namespace Uniscale.Training.Runtime;

/// <summary>Weights of another run's checkpoint, whatever layout, precision and head that had.</summary>
internal static class StartingWeights
{
    /// <summary>
    /// Fills a model; moments begin at 0. A score's head that the checkpoint does not have keeps its first weights. Collective.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="store">Reads checkpoints.</param>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="freshHead">A score's head keeps its first weights also where the checkpoint has one.</param>
    /// <exception cref="UserErrorException">The checkpoint is damaged or of another shape.</exception>
    public static void Load(RankState model, CheckpointStore store, string folder, bool freshHead = false)
    {
        WeightsAlone[] weights = [.. model.Buckets.Select(bucket => new WeightsAlone(bucket))];
        try
        {
            store.Load(
                folder,
                manifest =>
                {
                    var names = manifest.Tensors.Select(tensor => tensor.Name).ToHashSet();
                    return
                    [
                        .. weights
                            .SelectMany(block => block.Slices)
                            .Select(slice => freshHead && slice.Name == Block.ScoreWeight ? null : Stored(slice, names))
                            .OfType<StateSlice>(),
                    ];
                }
            );
            foreach (var block in weights)
                block.Apply(model.Link);
        }
        catch (CheckpointException failure)
        {
            throw new UserErrorException(
                $"The run cannot start from {folder}: {failure.Message.TrimEnd('.')}; set start_from to a run of the same shape of model.",
                failure
            );
        }
        finally
        {
            foreach (var block in weights)
                block.Dispose();
        }
    }

    /// <summary>The slice as the checkpoint has it: fp32 masters where there are some; null for a head that is new.</summary>
    private static StateSlice? Stored(StateSlice slice, HashSet<string> names)
    {
        string master = BucketSlices.Master + slice.Name;
        if (names.Contains(master))
            return slice with { Name = master };
        return slice.Name == Block.ScoreWeight && !names.Contains(slice.Name) ? null : slice;
    }
}
