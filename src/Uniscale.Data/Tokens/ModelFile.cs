using Google.Protobuf;

namespace Uniscale.Data;

/// <summary>What of a SentencePiece model file decides how texts may be cut (sentencepiece_model.proto, fields of trainer_spec and normalizer_spec).</summary>
/// <param name="IsBpe">Byte-pair merges, which a cut may leave untouched; the sums of a unigram model depend on all text before.</param>
/// <param name="HasRewriting">Characters are rewritten by a table, which may look across a cut.</param>
/// <param name="AddsPrefix">A space is put before every text.</param>
/// <param name="RemovesSpaces">Spaces at both ends and repeated ones are removed.</param>
/// <param name="EscapesSpaces">Spaces become U+2581.</param>
/// <param name="HasSuffix">The space is put behind words.</param>
/// <param name="HasBytes">Characters outside the vocabulary become bytes.</param>
internal sealed record ModelFile(bool IsBpe, bool HasRewriting, bool AddsPrefix, bool RemovesSpaces, bool EscapesSpaces, bool HasSuffix, bool HasBytes)
{
    /// <summary>Appended to a model, its normalizer_spec { add_dummy_prefix: false } overrules what stood there: messages merge, the last value counts.</summary>
    public static ReadOnlySpan<byte> WithoutPrefix => [0x1A, 0x02, 0x18, 0x00];

    /// <summary>True where parts between safe places give the pieces of the whole.</summary>
    public bool CanBeCut => IsBpe && EscapesSpaces && !HasRewriting && !RemovesSpaces && !HasSuffix;

    /// <summary>Reads a model.</summary>
    /// <exception cref="InvalidProtocolBufferException">It is none.</exception>
    public static ModelFile Read(byte[] model)
    {
        int type = 1;
        bool rewriting = false, prefix = true, removes = true, escapes = true, suffix = false, bytes = false;
        var input = new CodedInputStream(model);
        while (input.ReadTag() is > 0 and var tag)
        {
            if (tag == WireFormat.MakeTag(2, WireFormat.WireType.LengthDelimited))
            {
                Fields(input.ReadBytes(), (field, value, _) =>
                {
                    type = field == 3 ? (int)value : type;
                    suffix = field == 24 ? value != 0 : suffix;
                    bytes = field == 35 ? value != 0 : bytes;
                });
            }
            else if (tag == WireFormat.MakeTag(3, WireFormat.WireType.LengthDelimited))
            {
                Fields(input.ReadBytes(), (field, value, length) =>
                {
                    rewriting = field == 2 ? length > 0 : rewriting;
                    prefix = field == 3 ? value != 0 : prefix;
                    removes = field == 4 ? value != 0 : removes;
                    escapes = field == 5 ? value != 0 : escapes;
                });
            }
            else
            {
                input.SkipLastField();
            }
        }
        return new ModelFile(type == 2, rewriting, prefix, removes, escapes, suffix, bytes);
    }

    private static void Fields(ByteString message, Action<int, ulong, int> seen)
    {
        CodedInputStream input = message.CreateCodedInput();
        while (input.ReadTag() is > 0 and var tag)
        {
            switch (WireFormat.GetTagWireType(tag))
            {
                case WireFormat.WireType.Varint:
                    seen(WireFormat.GetTagFieldNumber(tag), input.ReadUInt64(), 0);
                    break;
                case WireFormat.WireType.LengthDelimited:
                    seen(WireFormat.GetTagFieldNumber(tag), 0, input.ReadBytes().Length);
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }
    }
}
