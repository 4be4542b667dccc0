using System.Runtime.InteropServices;

namespace Uniscale.Data;

/// <summary>A SentencePiece model owned by native code.</summary>
internal sealed class SentencePieceHandle() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        SentencePieceLibrary.Free(handle);
        return true;
    }
}

/// <summary>The C interface of libuniscale_text; see src/Uniscale.Native/text.</summary>
internal static partial class SentencePieceLibrary
{
    private const string Library = "uniscale_text";

    [LibraryImport(Library, EntryPoint = "uniscale_text_load")]
    public static partial SentencePieceHandle Load(ReadOnlySpan<byte> model, long bytes, Span<byte> error, long errorCapacity);

    [LibraryImport(Library, EntryPoint = "uniscale_text_free")]
    public static partial void Free(nint model);

    [LibraryImport(Library, EntryPoint = "uniscale_text_describe")]
    public static partial void Describe(SentencePieceHandle model, Span<int> description);

    [LibraryImport(Library, EntryPoint = "uniscale_text_piece")]
    public static partial long Piece(SentencePieceHandle model, int id, Span<byte> piece, long capacity, out float score, out int kind);

    [LibraryImport(Library, EntryPoint = "uniscale_text_id")]
    public static partial int Id(SentencePieceHandle model, ReadOnlySpan<byte> piece, long bytes);

    [LibraryImport(Library, EntryPoint = "uniscale_text_encode")]
    public static partial long Encode(
        SentencePieceHandle model,
        ReadOnlySpan<byte> text,
        long bytes,
        Span<int> ids,
        long capacity,
        Span<byte> error,
        long errorCapacity
    );

    [LibraryImport(Library, EntryPoint = "uniscale_text_decode")]
    public static partial long Decode(
        SentencePieceHandle model,
        ReadOnlySpan<int> ids,
        long count,
        Span<byte> text,
        long capacity,
        Span<byte> error,
        long errorCapacity
    );

    [LibraryImport(Library, EntryPoint = "uniscale_text_train", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Train(string[] options, int pairCount, Span<byte> error, long errorCapacity);
}
