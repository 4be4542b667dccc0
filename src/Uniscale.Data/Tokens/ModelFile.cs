using Google.Protobuf;

namespace Uniscale.Data;

/// <summary>What an entry of a SentencePiece model is (sentencepiece_model.proto, SentencePiece.Type).</summary>
internal enum ModelPieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>An entry of a SentencePiece model as it stands in the file.</summary>
/// <param name="Utf8">The piece; need not be valid UTF-8.</param>
/// <param name="Score">Of two merges the one with the larger score is done first.</param>
/// <param name="Type">What it is.</param>
internal readonly record struct ModelPiece(ReadOnlyMemory<byte> Utf8, float Score, ModelPieceType Type);

/// <summary>
/// What of a SentencePiece model file decides how texts are encoded (sentencepiece_model.proto: pieces, trainer_spec, normalizer_spec).
/// </summary>
internal sealed class ModelFile
{
    // Tags of the wire format: number of the field << 3 | wire type (0 varint, 2 with length, 5 four bytes).
    private const uint PieceText = (1 << 3) | 2,
        PieceScore = (2 << 3) | 5,
        PieceType = 3 << 3;
    private const uint ModelType = 3 << 3,
        Suffix = 24 << 3,
        ByteFallback = 35 << 3;
    private const uint CharsMap = (2 << 3) | 2,
        DummyPrefix = 3 << 3,
        ExtraSpaces = 4 << 3,
        EscapedSpaces = 5 << 3;

    private readonly List<ModelPiece> _pieces = [];

    /// <summary>The vocabulary; an id is a place in it.</summary>
    public IReadOnlyList<ModelPiece> Pieces => _pieces;

    /// <summary>Byte-pair merges.</summary>
    public bool IsBpe { get; private set; }

    /// <summary>The table by which characters are rewritten; empty where there is none.</summary>
    public ReadOnlyMemory<byte> Rewriting { get; private set; }

    /// <summary>A space is put before every text, or behind it (<see cref="HasSuffix"/>).</summary>
    public bool AddsPrefix { get; private set; } = true;

    /// <summary>Spaces at both ends and repeated ones are removed.</summary>
    public bool RemovesSpaces { get; private set; } = true;

    /// <summary>Spaces become U+2581.</summary>
    public bool EscapesSpaces { get; private set; } = true;

    /// <summary>The space is put behind words.</summary>
    public bool HasSuffix { get; private set; }

    /// <summary>Characters outside the vocabulary become bytes.</summary>
    public bool HasBytes { get; private set; }

    /// <summary>Reads a model.</summary>
    /// <exception cref="InvalidProtocolBufferException">It is none.</exception>
    public static ModelFile Read(byte[] model)
    {
        var file = new ModelFile();
        var input = new CodedInputStream(model);
        while (input.ReadTag() is > 0 and var tag)
        {
            switch (WireFormat.GetTagWireType(tag) == WireFormat.WireType.LengthDelimited ? WireFormat.GetTagFieldNumber(tag) : 0)
            {
                case 1:
                    file.AddPiece(input.ReadBytes());
                    break;
                case 2:
                    ReadFields(input.ReadBytes(), file.ReadTrainer);
                    break;
                case 3:
                    ReadFields(input.ReadBytes(), file.ReadNormalizer);
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }
        return file;
    }

    private void ReadTrainer(uint tag, CodedInputStream input)
    {
        switch (tag)
        {
            case ModelType:
                IsBpe = input.ReadUInt64() == 2;
                break;
            case Suffix:
                HasSuffix = input.ReadUInt64() != 0;
                break;
            case ByteFallback:
                HasBytes = input.ReadUInt64() != 0;
                break;
            default:
                input.SkipLastField();
                break;
        }
    }

    private void ReadNormalizer(uint tag, CodedInputStream input)
    {
        switch (tag)
        {
            case CharsMap:
                Rewriting = input.ReadBytes().Memory;
                break;
            case DummyPrefix:
                AddsPrefix = input.ReadUInt64() != 0;
                break;
            case ExtraSpaces:
                RemovesSpaces = input.ReadUInt64() != 0;
                break;
            case EscapedSpaces:
                EscapesSpaces = input.ReadUInt64() != 0;
                break;
            default:
                input.SkipLastField();
                break;
        }
    }

    private void AddPiece(ByteString message)
    {
        var piece = new ModelPiece(default, 0, ModelPieceType.Normal);
        ReadFields(
            message,
            (tag, input) =>
            {
                switch (tag)
                {
                    case PieceText:
                        piece = piece with { Utf8 = input.ReadBytes().Memory };
                        break;
                    case PieceScore:
                        piece = piece with { Score = input.ReadFloat() };
                        break;
                    case PieceType:
                        piece = piece with { Type = (ModelPieceType)input.ReadUInt64() };
                        break;
                    default:
                        input.SkipLastField();
                        break;
                }
            }
        );
        _pieces.Add(piece);
    }

    /// <summary>Gives each field of a message to a reader, which takes or skips it.</summary>
    private static void ReadFields(ByteString message, Action<uint, CodedInputStream> read)
    {
        var input = message.CreateCodedInput();
        while (input.ReadTag() is > 0 and var tag)
            read(tag, input);
    }
}
