using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>The beginning of a checkpoint's manifest, where its fields stand before the tensors.</summary>
internal static class ManifestHead
{
    /// <summary>Its first bytes, at most so many; null: there is none. Errors of the file are the caller's.</summary>
    public static byte[]? Read(RunsFolder door, string checkpoint, int most)
    {
        using var stream = door.Open(checkpoint, "manifest.json");
        if (stream is null)
            return null;
        byte[] bytes = new byte[Math.Min(most, stream.Length)];
        return bytes[..stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
    }
}
