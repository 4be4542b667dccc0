using System.Buffers;
using System.Text;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// A SentencePiece model of any kind: byte-pair models by our own encoder (see <see cref="BpeEncoder"/>), others by the library, which is
/// given a text in one call.
/// </summary>
internal sealed class SentencePieceTokenizer : Tokenizer
{
    private const char Space = '\u2581';
    private const int ErrorBytes = 1024;

    private readonly SentencePieceHandle _model;
    private readonly Lazy<BpeModel?> _bpe; // null: the library encodes

    private SentencePieceTokenizer(string path, SentencePieceHandle model, byte[] bytes, ModelFile file, RewritingTable? table)
        : base(path)
    {
        _model = model;
        Span<int> description = stackalloc int[5];
        SentencePieceLibrary.Describe(model, description);
        (Size, UnknownId, BeginId, EndId, PaddingId) = (description[0], description[1], description[2], description[3], description[4]);
        Fingerprint = FingerprintOf(bytes);
        Symbols =
        [
            .. file
                .Pieces.Where(piece => piece.Type == ModelPieceType.UserDefined)
                .Select(piece => Encoding.UTF8.GetString(piece.Utf8.Span))
                .Where(text => !string.IsNullOrWhiteSpace(text)),
        ];
        _bpe = new Lazy<BpeModel?>(() => BpeModel.Of(file, table));
    }

    public override bool TakesMarkForSpace => true;

    /// <summary>Reads a model.</summary>
    /// <param name="path">Its file.</param>
    /// <param name="bytes">What the file holds.</param>
    public static SentencePieceTokenizer Read(string path, byte[] bytes)
    {
        byte[] error = new byte[ErrorBytes];
        var model = SentencePieceLibrary.Load(bytes, bytes.Length, error, error.Length);
        if (model.IsInvalid)
            throw NoModel(path);
        try
        {
            var file = ModelFile.Read(bytes);
            var table = RewritingTable.Read(file.Rewriting.Span);
            if (table is not null || file.Rewriting.IsEmpty)
                return new SentencePieceTokenizer(path, model, bytes, file, table);
            model.Dispose();
            throw new UserErrorException(
                $"The table by which {path} rewrites characters (precompiled_charsmap) is damaged: get the model again."
            );
        }
        catch (Google.Protobuf.InvalidProtocolBufferException)
        {
            model.Dispose();
            throw NoModel(path);
        }
    }

    public override void Encode(ReadOnlySpan<byte> utf8, bool continues, IBufferWriter<int> output)
    {
        if (utf8.IsEmpty)
            return;
        if (_bpe.Value is { } bpe)
            bpe.Encode(utf8, continues, output);
        else
            EncodeByLibrary(utf8, output);
    }

    /// <summary>SentencePiece finds no control tokens in texts.</summary>
    private protected override void EncodeWithSpecials(ReadOnlySpan<byte> utf8, IBufferWriter<int> output) =>
        Encode(utf8, continues: false, output);

    public override int LastCut(ReadOnlySpan<byte> utf8) => _bpe.Value?.LastCut(utf8) ?? 0;

    public override string DecodeWithin(ReadOnlySpan<int> tokens) =>
        tokens.IsEmpty ? "" : (PieceOf(tokens[0]).Text.StartsWith(Space) ? " " : "") + Decode(tokens).TrimStart(' ');

    protected override string DecodeKnown(ReadOnlySpan<int> tokens)
    {
        byte[] text = new byte[tokens.Length * 8 + 64],
            error = new byte[ErrorBytes];
        long length = SentencePieceLibrary.Decode(_model, tokens, tokens.Length, text, text.Length, error, error.Length);
        if (length > text.Length)
        {
            text = new byte[length];
            length = SentencePieceLibrary.Decode(_model, tokens, tokens.Length, text, text.Length, error, error.Length);
        }
        return length < 0
            ? throw new InvalidOperationException($"SentencePiece could not decode: {Text(error)}")
            : Encoding.UTF8.GetString(text, 0, (int)length);
    }

    public override Piece PieceOf(int id)
    {
        if ((uint)id >= (uint)Size)
            throw new ArgumentOutOfRangeException(nameof(id), $"Token {id} is outside the vocabulary of {Size}.");
        byte[] piece = new byte[256];
        long length = SentencePieceLibrary.Piece(_model, id, piece, piece.Length, out float score, out int kind);
        if (length > piece.Length)
        {
            piece = new byte[length];
            length = SentencePieceLibrary.Piece(_model, id, piece, piece.Length, out score, out kind);
        }
        return new Piece(Encoding.UTF8.GetString(piece, 0, (int)length), score, (PieceKind)kind);
    }

    public override int IdOf(string piece)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(piece);
        return SentencePieceLibrary.Id(_model, utf8, utf8.Length);
    }

    public override int[] ByteLengths() => [.. Enumerable.Range(0, Size).Select(id => BytesOf(PieceOf(id)))];

    protected override void Dispose(bool disposing)
    {
        _model.Dispose();
        base.Dispose(disposing);
    }

    private static UserErrorException NoModel(string path) =>
        new($"{path} is no SentencePiece model; give the .model file that `uniscale tokenizer train` wrote, or a tokenizer.json.");

    private static int BytesOf(Piece piece) =>
        piece.Kind switch
        {
            PieceKind.Control or PieceKind.Unused => 0,
            PieceKind.Byte or PieceKind.Unknown => 1,
            _ => Encoding.UTF8.GetByteCount(piece.Text) - 2 * piece.Text.Count(c => c == Space),
        };

    /// <summary>The library's own tokens.</summary>
    internal void EncodeByLibrary(ReadOnlySpan<byte> text, IBufferWriter<int> output)
    {
        int capacity = text.Length + 16; // a token covers at least a byte, but for the space in front
        var tokens = output.GetSpan(capacity);
        Span<byte> error = stackalloc byte[ErrorBytes];
        long count = SentencePieceLibrary.Encode(_model, text, text.Length, tokens, tokens.Length, error, error.Length);
        if (count < 0)
            throw new InvalidOperationException($"SentencePiece could not encode: {Text(error)}");
        if (count > tokens.Length)
        {
            tokens = output.GetSpan((int)count);
            count = SentencePieceLibrary.Encode(_model, text, text.Length, tokens, tokens.Length, error, error.Length);
        }
        output.Advance((int)count);
    }

    private static string Text(ReadOnlySpan<byte> message)
    {
        int end = message.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? message : message[..end]).Trim();
    }
}
