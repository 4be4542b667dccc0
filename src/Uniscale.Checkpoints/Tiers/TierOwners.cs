using System.Text;
using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Tiers;

/// <summary>Whose copies are.</summary>
/// <param name="Id">Names the run among all that may share a tier; a plain name.</param>
/// <param name="Directory">The run's folder, for people and for a run whose folder was lost.</param>
public sealed record TierOwner(string Id, string Directory);

/// <summary>The runs that have copies in a tier: each has a folder of its id, in which a file says where the run is.</summary>
public static class TierOwners
{
    internal const string FileName = "OWNER";

    /// <summary>Runs with copies in a tier; the directory is empty where nothing says it.</summary>
    /// <param name="location">As in <see cref="TierLocation.Open"/>.</param>
    public static IReadOnlyList<TierOwner> Of(string location)
    {
        using var tier = TierLocation.Open(location);
        var ids = tier.List()
            .Select(key => key.Split('/'))
            .Where(parts => parts is [_, FileName] or [_, _, CommitMarker.FileName])
            .Select(parts => parts[0])
            .Distinct();
        return [.. ids.Select(id => new TierOwner(id, Encoding.UTF8.GetString(tier.Read($"{id}/{FileName}") ?? []).TrimEnd('\n')))];
    }

    /// <summary>Name of the newest copy that says of no run that it is its; null: there is none. Versions before wrote such.</summary>
    /// <param name="location">As in <see cref="TierLocation.Open"/>.</param>
    public static string? Unowned(string location)
    {
        using var tier = TierLocation.Open(location);
        return new TierCopies(tier, null).Committed() is [var (newest, _), ..] ? newest : null;
    }

    /// <summary>Writes down where a run is, where that is not known.</summary>
    internal static void Tell(ITier tier, TierOwner owner)
    {
        string key = $"{owner.Id}/{FileName}",
            text = owner.Directory + "\n";
        if (tier.Read(key) is { } known && Encoding.UTF8.GetString(known) == text)
            return;
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, text);
            tier.Put(key, file);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
