using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Tiers;
using Uniscale.Configuration;
using Uniscale.Configuration.Loading;
using Uniscale.Launching.Ownership;

namespace Uniscale.Training.Ownership;

/// <summary>
/// Who a run is, wherever its folder lies: the file that goes with it. Copies of its checkpoints bear its id, so that runs may share the
/// places of their copies.
/// </summary>
/// <param name="Id">Its name and something random, for example <c>quickstart.3f2a9c1d</c>.</param>
/// <param name="Directory">Its folder, as it was when the run was last started.</param>
/// <param name="SavedStep">Step of the newest checkpoint that became durable; 0: none.</param>
/// <param name="SavedIn">Directory of that checkpoint; empty: none.</param>
public sealed partial record RunIdentity(string Id, string Directory, long SavedStep = 0, string SavedIn = "")
{
    /// <summary>Name of the file in the run's directory.</summary>
    public const string FileName = "identity.json";

    private const int LongestName = 64;

    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    /// <summary>The identity of a run's folder; null: it has none.</summary>
    /// <exception cref="UserErrorException">The file is not what it should be.</exception>
    public static RunIdentity? Read(string run)
    {
        string path = Path.Combine(run, FileName);
        try
        {
            if (!File.Exists(path))
                return null;
            return
                JsonSerializer.Deserialize<RunIdentity>(File.ReadAllText(path), Format)
                    is { Id: not null, Directory: not null, SavedIn: not null } identity
                && IdPattern().IsMatch(identity.Id)
                ? identity
                : throw new JsonException("an id and a directory were expected");
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"{path} says who the run is and cannot be read ({error.Message.TrimEnd('.')}): mend it, or remove it to begin without the copies of its checkpoints.",
                error
            );
        }
    }

    /// <summary>The identity under which a start of training works. Call it while the run's directories are held.</summary>
    /// <param name="folder">The run's directory.</param>
    /// <param name="configuration">The run.</param>
    /// <param name="resume">Whether it is to be continued.</param>
    /// <param name="checkpoints">Directory of its checkpoints.</param>
    /// <exception cref="UserErrorException">The checkpoints there are another run's, or it cannot be told whose copies the run's
    /// are.</exception>
    public static RunIdentity For(string folder, RunConfiguration configuration, bool resume, string checkpoints)
    {
        var identity = For(folder, configuration, resume, CheckpointCatalog.HasAny(checkpoints));
        return RunOwnership.IsWithin(checkpoints, folder) || Read(checkpoints) is not { } owner || owner.Id == identity.Id ? identity
            : resume && Read(folder) is null && owner.Directory == folder ? owner
            : throw new UserErrorException(
                $"{checkpoints} holds the checkpoints of run {owner.Id} in {owner.Directory}, not of the one in {folder}: continue that one from its own folder, or give this one another checkpoint.directory."
            );
    }

    private static RunIdentity For(string folder, RunConfiguration configuration, bool resume, bool holdsCheckpoints)
    {
        string name = NameOf(configuration);
        if (!resume)
            return New(name, folder);
        if (Read(folder) is { } known)
            // The folder was copied where the other still is who it was; two must not be one.
            return known.Directory != folder && IsOther(known)
                ? New(name, folder) with
                {
                    SavedStep = known.SavedStep,
                    SavedIn = known.SavedIn,
                }
                : known with
                {
                    Directory = folder,
                };
        if (holdsCheckpoints || configuration.Checkpoint.Tiers.Count == 0)
            return New(name, folder);
        return Lost(folder, name, configuration.Checkpoint.Tiers) ?? New(name, folder);

        bool IsOther(RunIdentity identity) =>
            DirectoryLock.IsApart(folder, identity.Directory, RunOwnership.TrainingLock) && Read(identity.Directory)?.Id == identity.Id;
    }

    /// <summary>Writes the file, in one piece, and beside checkpoints that lie elsewhere another.</summary>
    /// <param name="folder">The run's directory.</param>
    /// <param name="checkpoints">Directory of its checkpoints.</param>
    public void Write(string folder, string checkpoints)
    {
        Write(folder);
        if (!RunOwnership.IsWithin(checkpoints, folder))
            Write(checkpoints);
    }

    private void Write(string directory)
    {
        string path = Path.Combine(directory, FileName);
        File.WriteAllText(path + ".tmp", JsonSerializer.Serialize(this, Format));
        File.Move(path + ".tmp", path, overwrite: true);
    }

    /// <summary>The run whose folder was lost, by what its copies say; null: there is none of this name.</summary>
    private static RunIdentity? Lost(string folder, string name, IReadOnlyList<string> tiers)
    {
        TierOwner[] same =
        [
            .. tiers
                .SelectMany(TierOwners.Of)
                .DistinctBy(owner => owner.Id)
                .Where(owner => owner.Id.StartsWith(name + ".", StringComparison.Ordinal)),
        ];
        if (same.Length == 0)
        {
            foreach (string tier in tiers)
                if (TierOwners.Unowned(tier) is { } copy)
                    throw new UserErrorException(
                        $"{tier} has {copy}, which does not say of which run it is: to continue from it, move it there to {New(name, folder).Id}/{copy}; else remove it or leave out --resume."
                    );
            return null;
        }
        TierOwner[] here = [.. same.Where(owner => owner.Directory == folder || (owner.Directory.Length == 0 && same.Length == 1))];
        if (here.Length == 1)
            return new(here[0].Id, folder);
        throw new UserErrorException(
            $"{string.Join(" and ", tiers)} holds copies of {(same.Length == 1 ? "a run" : $"{same.Length} runs")} of this name ({string.Join(", ", same.Take(5).Select(owner => $"{owner.Id} of {owner.Directory}"))}), "
                + $"and nothing in {folder} says that this run is one of them: to continue one, write {{\"id\": \"{same[0].Id}\", \"directory\": \"{folder}\", \"saved_in\": \"\"}} into {Path.Combine(folder, FileName)}; "
                + "to begin another run, leave out --resume or give it a name of its own (--set name=OTHER)."
        );
    }

    private static RunIdentity New(string name, string folder) =>
        new($"{name}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}", folder);

    private static string NameOf(RunConfiguration configuration)
    {
        string plain = OddCharacters().Replace(Secrets.Mask(configuration.Name), "-");
        return plain.Length <= LongestName ? plain : plain[..LongestName];
    }

    [GeneratedRegex(@"[^A-Za-z0-9_-]")]
    private static partial Regex OddCharacters();

    [GeneratedRegex(@"^[A-Za-z0-9_-]{1,64}\.[0-9a-f]{8}$")]
    private static partial Regex IdPattern();
}
