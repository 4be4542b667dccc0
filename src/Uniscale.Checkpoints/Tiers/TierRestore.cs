using System.Text.Json;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Saving;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tiers;

/// <summary>
/// Brings the newest copy of the first tier that has one back: rank 0 chooses it, every host fetches and proves its share of the files.
/// All of it is collective.
/// </summary>
internal sealed class TierRestore(IProcessGroup group, NodePlaces places, string directory, CheckpointOptions options)
{
    /// <summary>Restores.</summary>
    /// <returns>The folder of the checkpoint and a sentence; null: no tier has a copy.</returns>
    /// <exception cref="CheckpointException">A tier cannot be read, or all its copies are damaged; on all ranks.</exception>
    public (string Folder, string Sentence)? Run()
    {
        for (int index = 0; index < options.Tiers.Count; index++)
        {
            using var tier = TierLocation.Open(options.Tiers[index]);
            var copies = new TierCopies(tier, options.Owner);
            var damages = new List<string>();
            foreach (string name in Agreed(() => copies.Committed().Select(copy => copy.Name).ToArray()))
            {
                try
                {
                    string folder = Fetch(tier, copies, name);
                    return (folder, $"{Path.GetFileName(folder)} was brought back from {tier.Name}");
                }
                catch (CheckpointDamagedException damage)
                {
                    damages.Add(damage.Message);
                }
            }
            if (damages.Count > 0)
                throw new CheckpointDamagedException(string.Join("; ", damages));
        }
        return null;
    }

    private string Fetch(ITier tier, TierCopies copies, string name)
    {
        string partial = "";
        try
        {
            var (folder, manifest) = Agreed(() => copies.OpenCopy(name, directory));
            partial = folder;
            var verdict = Verdict.Good;
            try
            {
                if (places.IsFirst)
                    FetchShare(tier, name, folder, CheckpointReader.Open(folder, manifest));
            }
            catch (CheckpointException failure)
            {
                verdict = Verdict.Of(failure);
            }
            if (verdict.WorstOf(group) is { Kind: not VerdictKind.Good } worst)
                throw worst.ToException();
            return Agreed(() => TierCopies.Publish(folder, directory));
        }
        finally
        {
            if (group.Rank == 0 && partial.Length > 0)
                CheckpointFolders.DeletePartial(partial);
        }
    }

    private void FetchShare(ITier tier, string name, string folder, CheckpointReader reader)
    {
        string[] files = [.. reader.Manifest.Files.Select(file => file.Name)];
        var share = TierShare.Of(files, places).ToHashSet();
        TierShare.ForEach([.. share], file => tier.Get($"{name}/{file}", Path.Combine(folder, file)));
        var damages = reader.Verify([.. files.Index().Where(file => share.Contains(file.Item)).Select(file => file.Index)]);
        if (damages.Count > 0)
            throw new CheckpointDamagedException($"the copy {name} in {tier.Name} is damaged: {damages[0]}");
    }

    // What rank 0 finds, on all ranks; or its failure.
    private T Agreed<T>(Func<T> body)
    {
        byte[] found = [];
        var verdict = Verdict.Good;
        if (group.Rank == 0)
        {
            try
            {
                found = JsonSerializer.SerializeToUtf8Bytes(body());
            }
            catch (CheckpointException failure)
            {
                verdict = Verdict.Of(failure);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                verdict = Verdict.Of(new CheckpointException($"{directory} cannot be written ({failure.Message})", failure));
            }
        }
        if (verdict.WorstOf(group) is { Kind: not VerdictKind.Good } worst)
            throw worst.ToException();
        return JsonSerializer.Deserialize<T>(GroupExchange.Broadcast(group, found))!;
    }
}
