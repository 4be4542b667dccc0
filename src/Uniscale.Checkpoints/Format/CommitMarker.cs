using System.Globalization;
using System.Text;

namespace Uniscale.Checkpoints.Format;

/// <summary>
/// The file that makes a folder a checkpoint. It is written last, holds the digest of the manifest (which holds those of all else)
/// and a digest of itself, so that every byte of a checkpoint is covered.
/// </summary>
/// <param name="Step">Step of the checkpoint.</param>
/// <param name="Ordinal">Number of the save within the run's folder.</param>
/// <param name="Keep">Kept by retention for ever.</param>
/// <param name="Attempt">The save that wrote it.</param>
/// <param name="ManifestBytes">Size of the manifest.</param>
/// <param name="ManifestDigest">Digest of the manifest.</param>
internal sealed record CommitMarker(long Step, long Ordinal, bool Keep, string Attempt, long ManifestBytes, string ManifestDigest)
{
    public const string FileName = "COMMITTED";

    /// <summary>More than any marker has.</summary>
    public const int LongestBytes = 4096;

    private const string Magic = "uniscale-checkpoint 1";

    public byte[] ToBytes()
    {
        string body = string.Create(
            CultureInfo.InvariantCulture,
            $"{Magic}\nstep {Step}\nordinal {Ordinal}\nkeep {(Keep ? 1 : 0)}\nattempt {Attempt}\nmanifest {ManifestBytes} {ManifestDigest}\n"
        );
        return Encoding.ASCII.GetBytes($"{body}digest {Digest.Of(Encoding.ASCII.GetBytes(body))}\n");
    }

    /// <summary>Reads a marker, or returns null where any byte of it is not as it was written.</summary>
    public static CommitMarker? Parse(ReadOnlySpan<byte> bytes)
    {
        string[] lines = Encoding.Latin1.GetString(bytes).Split('\n');
        if (lines.Length != 8 || lines[0] != Magic)
            return null;
        string[][] words = lines[1..6].Select(line => line.Split(' ')).ToArray();
        if (
            words.Any(parts => parts.Length < 2)
            || words[4].Length != 3
            || !long.TryParse(words[0][1], CultureInfo.InvariantCulture, out long step)
            || !long.TryParse(words[1][1], CultureInfo.InvariantCulture, out long ordinal)
            || !long.TryParse(words[4][1], CultureInfo.InvariantCulture, out long size)
        )
        {
            return null;
        }
        var marker = new CommitMarker(step, ordinal, words[2][1] == "1", words[3][1], size, words[4][2]);
        return bytes.SequenceEqual(marker.ToBytes()) ? marker : null;
    }
}
