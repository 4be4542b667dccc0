namespace Uniscale.Checkpoints.Format;

/// <summary>A part of a tensor as it lies in a file.</summary>
/// <param name="File">Index into the manifest's files.</param>
/// <param name="Start">First byte within the file.</param>
/// <param name="Box">Its place in the tensor.</param>
/// <param name="DigestsAt">First byte within the file of the digests of its chunks, <see cref="Digest.SizeBytes"/> each; unused where the
/// manifest holds them.</param>
/// <param name="Digests">The digests, where the manifest holds them (format 1): 32 hexadecimal digits each.</param>
internal readonly record struct StoredPart(int File, long Start, Box Box, long DigestsAt, string? Digests = null);

/// <summary>The digests of a shard's chunks, as they lie in a file behind the data, padding included.</summary>
/// <param name="Start">First byte within the file.</param>
/// <param name="SizeBytes">Bytes.</param>
/// <param name="Digest">Digest of them.</param>
internal readonly record struct DigestTable(long Start, long SizeBytes, string Digest);

/// <summary>Where the parts of the tensors of a checkpoint lie. Tensors and files are indices into the manifest's.</summary>
internal interface IPartMap
{
    /// <summary>Parts of a tensor that have elements in common with a box.</summary>
    IEnumerable<StoredPart> Of(int tensor, Box wanted);

    /// <summary>All parts in a file.</summary>
    /// <exception cref="CheckpointDamagedException">The file is not as large as what lies in it.</exception>
    IEnumerable<(int Tensor, StoredPart Part)> In(int file);

    /// <summary>Digests that lie in a file.</summary>
    IEnumerable<DigestTable> TablesIn(int file);
}
