using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Format;
using Uniscale.Configuration;
using Uniscale.Data;
using static TorchSharp.torch;

namespace Uniscale.Training.Faults;

/// <summary>Damages what lies on disks, as worn disks and hasty hands do.</summary>
internal static class Damage
{
    private static readonly TimeSpan CommitPatience = TimeSpan.FromSeconds(10);

    /// <summary>Damages the newest checkpoint once it is durable.</summary>
    /// <exception cref="InjectedFaultException">There is none yet.</exception>
    public static void Checkpoint(FaultKind kind, CheckpointStore store, int rank)
    {
        store.Drain();
        // The first rank commits what all have written: a save ends earlier on the others.
        SpinWait.SpinUntil(() => !CheckpointCatalog.HasUnfinished(store.DirectoryPath), CommitPatience);
        var newest =
            CheckpointCatalog.List(store.DirectoryPath).FirstOrDefault(entry => entry.Manifest is not null)
            ?? throw new InjectedFaultException(
                $"there is no checkpoint in {store.DirectoryPath} to damage: let the fault come after the first save"
            );
        var files = newest.Manifest!.Files;
        string shard = Path.Combine(newest.Folder, files[Math.Min(rank, files.Count - 1)].Name);
        switch (kind)
        {
            case FaultKind.FlippedCheckpointByte:
                FlipByte(shard);
                break;
            case FaultKind.TruncatedShard:
                Truncate(shard);
                break;
            case FaultKind.MissingMarker:
                File.Delete(Path.Combine(newest.Folder, CheckpointCatalog.MarkerFile));
                break;
            default:
                File.Delete(Path.Combine(newest.Folder, CheckpointManifest.FileName));
                break;
        }
    }

    /// <summary>Changes a token in the middle of a shard.</summary>
    public static void Data(string shard)
    {
        using var opened = TokenShard.Open(shard);
        FlipByte(opened.Prefix + ".bin");
    }

    /// <summary>Flips the lowest bit of the mantissa of a number in the middle, as a cosmic ray does: nobody sees it in the loss.</summary>
    public static void FlipBit(Tensor flat)
    {
        using var number = flat.narrow(0, flat.numel() / 2, 1);
        number.bytes[0] ^= 1;
    }

    private static void FlipByte(string path)
    {
        using var file = File.Open(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.Position = file.Length / 2 & ~1L;
        int value = file.ReadByte();
        file.Position--;
        file.WriteByte((byte)(value ^ 1));
    }

    private static void Truncate(string path)
    {
        using var file = File.Open(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.SetLength(file.Length / 2);
    }
}
