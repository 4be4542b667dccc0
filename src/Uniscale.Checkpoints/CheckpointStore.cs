using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Saving;
using Uniscale.Checkpoints.Tiers;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints;

/// <summary>What was loaded.</summary>
/// <param name="Folder">Folder of the checkpoint.</param>
/// <param name="Manifest">Its manifest: position, configuration, what other parts of the run stored.</param>
/// <param name="Notes">One sentence for each newer checkpoint that was found damaged and passed over.</param>
public sealed record LoadedCheckpoint(string Folder, CheckpointManifest Manifest, IReadOnlyList<string> Notes);

/// <summary>
/// The checkpoints of a run, seen from one rank. Saves and loads are collective: every rank of the world calls them in the same order,
/// with its own slices. Layouts may differ between a save and a load.
/// </summary>
public sealed class CheckpointStore : IDisposable
{
    private readonly IProcessGroup _group;
    private readonly CheckpointOptions _options;
    private readonly CheckpointWriter _writer;
    private readonly TierReplicator _replicator;

    /// <param name="directory">Directory of the run's checkpoints, seen by all ranks; made by the first save.</param>
    /// <param name="world">All ranks; collectives are posted on its group for host memory, by the calling thread only.</param>
    /// <param name="options">How checkpoints are written, kept and read.</param>
    public CheckpointStore(string directory, IWorld world, CheckpointOptions? options = null)
    {
        DirectoryPath = Path.GetFullPath(directory);
        _group = world.HostGroup;
        _options = options ?? new CheckpointOptions();
        _replicator = new TierReplicator(DirectoryPath, world, _options);
        _writer = new CheckpointWriter(DirectoryPath, world, _options, () => Places, committed: _replicator.Notify);
    }

    /// <summary>The run's folder of checkpoints.</summary>
    public string DirectoryPath { get; }

    // Found out at the first call that needs it, which is collective.
    private NodePlaces Places
    {
        get
        {
            if (field is null)
            {
                field = NodePlaces.Find(_group, _options.Host);
                _replicator.Begin(field);
            }
            return field;
        }
    }

    /// <summary>True while a save is being written.</summary>
    public bool Busy => _writer.Busy;

    /// <summary>
    /// Finds the plan of the saves to come and, for asynchronous ones, makes the host buffer, so that the first is as quick as the others.
    /// Collective.
    /// </summary>
    /// <param name="slices">This rank's part of the state.</param>
    /// <param name="behind">Whether saves are written asynchronously.</param>
    /// <param name="tensors">All tensors, as in <see cref="CheckpointState.Tensors"/>.</param>
    /// <returns>Why a save would be refused now, for lack of room say, and what to do; null: it would not.</returns>
    public string? Prepare(IReadOnlyList<StateSlice> slices, bool behind, IReadOnlyList<StateTensor>? tensors = null) =>
        _writer.Prepare(slices, tensors, behind);

    /// <summary>Saves and returns once the checkpoint is committed or given up; needs no host buffer. Collective.</summary>
    public SaveResult Save(CheckpointState state) => _writer.Begin(state, staged: false).Wait();

    /// <summary>Copies the state to the host buffer and returns; a thread of its own writes. Collective.</summary>
    public PendingSave SaveAsync(CheckpointState state) => _writer.Begin(state, staged: true);

    /// <summary>Waits until no save is under way and, on rank 0, until the newest checkpoint is in the tiers.</summary>
    public void Drain()
    {
        _writer.Drain();
        _replicator.Drain();
    }

    /// <summary>
    /// Loads the newest good checkpoint, from a tier where the directory has none, or returns null where there is none at all. A damaged
    /// one is passed over with a sentence in the notes,
    /// by all ranks together. Throws <see cref="CheckpointMismatchException"/> where the checkpoint is of another model and
    /// <see cref="CheckpointDamagedException"/> where all are damaged. Collective.
    /// </summary>
    /// <param name="wanted">Gives this rank's slices, whose memory is then overwritten.</param>
    /// <param name="fits">Whether the checkpoint of a step will do; null: any does. Where none fits, null is returned and no tier is
    /// asked.</param>
    public LoadedCheckpoint? LoadNewest(Func<CheckpointManifest, IReadOnlyList<StateSlice>> wanted, Func<long, bool>? fits = null)
    {
        var notes = new List<string>();
        string names =
            _group.Rank == 0
                ? string.Join(
                    '\n',
                    CheckpointFolders.Scan(DirectoryPath).Where(folder => fits?.Invoke(folder.Step) ?? true).Select(folder => folder.Path)
                )
                : "";
        string[] folders = GroupExchange.Broadcast(_group, names).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        foreach (string folder in folders)
        {
            if (TryLoad(folder, wanted, out string? damage) is { } manifest)
            {
                CatchUp();
                return new LoadedCheckpoint(folder, manifest, notes);
            }
            if (_group.Rank == 0)
                CheckpointFolders.MarkDamaged(folder, damage);
            notes.Add($"{damage}; the checkpoint before it is tried");
        }
        if (fits is null && RestoreFromTiers(notes) is { } restored)
            return Load(restored, wanted) with { Notes = notes };
        return folders.Length == 0
            ? null
            : throw new CheckpointDamagedException($"no checkpoint in {DirectoryPath} is good: {string.Join("; ", notes)}");
    }

    private string? RestoreFromTiers(List<string> notes)
    {
        if (_options.Tiers.Count == 0 || new TierRestore(_group, Places, DirectoryPath, _options).Run() is not { } restored)
            return null;
        notes.Add(restored.Sentence);
        return restored.Folder;
    }

    // The newest checkpoint may not have come to all tiers before the run ended.
    private void CatchUp()
    {
        if (_options.Tiers.Count == 0)
            return;
        _ = Places;
        if (_group.Rank == 0)
            _replicator.Notify();
    }

    /// <summary>
    /// Deletes the checkpoints of some steps, as those that a run has taken back; those kept for ever stay. Call it on every rank while no
    /// save is
    /// under way; one of them does it.
    /// </summary>
    public void Discard(Func<long, bool> steps)
    {
        if (_group.Rank != 0)
            return;
        foreach (
            var folder in CheckpointFolders.Scan(DirectoryPath).Where(folder => folder.Marker is { Keep: false } && steps(folder.Step))
        )
            CheckpointFolders.Delete(folder.Path);
    }

    /// <summary>Loads one checkpoint by its folder; throws where it is damaged or of another model. Collective.</summary>
    public LoadedCheckpoint Load(string folder, Func<CheckpointManifest, IReadOnlyList<StateSlice>> wanted) =>
        TryLoad(folder, wanted, out string? damage) is { } manifest
            ? new LoadedCheckpoint(folder, manifest, [])
            : throw new CheckpointDamagedException(damage);

    /// <summary>Waits for a save that is under way (at most half a minute) and for copies to tiers, and frees the host buffer.</summary>
    public void Dispose()
    {
        _writer.Dispose();
        _replicator.Dispose();
    }

    // Rank 0 reads the manifest for all; each rank then reads what it wants, and its share of what is to be proved besides. All ranks act
    // on all verdicts alike.
    private CheckpointManifest? TryLoad(string folder, Func<CheckpointManifest, IReadOnlyList<StateSlice>> wanted, out string damage)
    {
        CheckpointManifest? manifest = null;
        var verdict = Verdict.Good;
        try
        {
            var reader = CheckpointReader.Open(folder, ReadManifestOnce(folder));
            manifest = reader.Manifest;
            reader.Load(wanted(manifest), _options.EffectiveThreads, proves: file => file % _group.Size == _group.Rank);
        }
        catch (CheckpointException failure)
        {
            verdict = Verdict.Of(failure);
        }
        var worst = verdict.WorstOf(_group);
        damage = worst.Sentence;
        return worst.Kind switch
        {
            VerdictKind.Good => manifest,
            VerdictKind.Damaged => null,
            _ => throw worst.ToException(manifest?.ConfigurationYaml),
        };
    }

    // Where rank 0 cannot read it, its sentence is every rank's.
    private byte[] ReadManifestOnce(string folder)
    {
        byte[] manifest = [];
        var verdict = Verdict.Good;
        if (_group.Rank == 0)
        {
            try
            {
                manifest = CheckpointReader.ReadManifest(folder);
            }
            catch (CheckpointException failure)
            {
                verdict = Verdict.Of(failure);
            }
        }
        var worst = verdict.WorstOf(_group);
        return worst.Kind == VerdictKind.Good ? GroupExchange.Broadcast(_group, manifest) : throw worst.ToException();
    }
}
