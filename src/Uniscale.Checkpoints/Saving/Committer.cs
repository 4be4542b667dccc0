using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Saving;

/// <summary>What rank 0 does once every rank is durable: manifest, marker, final name, retention.</summary>
internal sealed class Committer(string directory, CheckpointOptions options)
{
    /// <summary>Makes the temporary folder a checkpoint.</summary>
    public void Commit(CheckpointState state, SavePlan plan, string attempt, ShardDigests[] digests)
    {
        string folder = CheckpointFolders.Partial(directory, state.Step, attempt);
        var known = CheckpointFolders.Scan(directory);
        long ordinal = known.Count == 0 ? 1 : Math.Max(0, known.Max(other => other.Marker?.Ordinal ?? 0)) + 1;
        byte[] json = Describe(state, plan, digests, ordinal).ToJson();
        SaveRendezvous.WriteDurably(Path.Combine(folder, CheckpointManifest.FileName), json, isPrivate: true);
        options.Probe?.Invoke(SavePoint.ManifestWritten);

        new SaveRendezvous(folder, TimeSpan.Zero, CancellationToken.None).Clear(plan.WorldSize);
        var marker = new CommitMarker(state.Step, ordinal, state.Keep, attempt, json.Length, Digest.Of(json));
        SaveRendezvous.WriteDurably(Path.Combine(folder, CommitMarker.FileName), marker.ToBytes());
        options.Probe?.Invoke(SavePoint.MarkerWritten);

        CheckpointFolders.Publish(directory, state.Step, attempt);
        options.Probe?.Invoke(SavePoint.Renamed);
    }

    internal CheckpointManifest Describe(CheckpointState state, SavePlan plan, ShardDigests[] digests, long ordinal)
    {
        var files = new List<FileRecord>();
        var slices = new List<(SliceKey Key, SliceRecord Record)>();
        for (int rank = 0; rank < plan.WorldSize; rank++)
        {
            var image = ShardImage.Of(plan.Of(rank));
            if (image.Entries.Count == 0)
                continue;
            for (int i = 0; i < image.Entries.Count; i++)
            {
                var (key, start) = (image.Entries[i].Key, image.Entries[i].Start);
                slices.Add((key, new SliceRecord(files.Count, start, key.Offset, key.Shape, digests[rank].SliceDigests[i])));
            }
            files.Add(new FileRecord(ShardImage.FileName(rank), image.SizeBytes, image.Header.Length, digests[rank].HeaderDigest));
        }
        return new CheckpointManifest
        {
            FormatVersion = CheckpointManifest.CurrentFormat,
            Step = state.Step,
            Ordinal = ordinal,
            Keep = state.Keep,
            ConsumedTokens = state.ConsumedTokens,
            SavedAt = DateTimeOffset.UtcNow,
            CodeVersion = options.CodeVersion,
            WorldSize = plan.WorldSize,
            ConfigurationHash = state.ConfigurationHash,
            DataFingerprint = state.DataFingerprint,
            ChunkBytes = Digest.ChunkBytes,
            ConfigurationYaml = state.ConfigurationYaml,
            Extra = state.Extra,
            Files = files,
            Tensors = [.. slices.GroupBy(slice => slice.Key.Name).OrderBy(group => group.Key, StringComparer.Ordinal)
                .Select(group => new TensorRecord(group.Key, group.First().Key.Type, group.First().Key.GlobalShape, [.. group.Select(slice => slice.Record)]))],
        };
    }
}
