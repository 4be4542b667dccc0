using System.Globalization;
using System.Text;
using System.Xml;

namespace Uniscale.Corpus.Reading.Web;

/// <summary>
/// Posts.xml of StackExchange: a document is a question with its title and its answers, the best first. An answer may stand far behind its
/// question: rows are first sorted into files
/// by the number of their question, each small enough for memory; the disk holds the texts once more meanwhile.
/// </summary>
internal sealed class StackExchangeReader : IFormReader
{
    private static readonly XmlReaderSettings Settings = new() { DtdProcessing = DtdProcessing.Prohibit, CloseInput = false };

    public string Form => "stackexchange";

    public static bool Is(ReadOnlySpan<byte> head) =>
        XmlHead.RootIs(head, "posts") && head.IndexOf("<row "u8) >= 0 && head.IndexOf("PostTypeId="u8) >= 0;

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        using var folders = new PostPartitions(Path.Combine(context.WorkFolder, "posts"));
        long others = 0;
        using (var xml = XmlReader.Create(input.Stream, Settings))
        {
            while (xml.Read())
            {
                if (xml.NodeType != XmlNodeType.Element || xml.LocalName != "row")
                    continue;
                if (PostOf(xml) is { } post)
                    folders.Add(post);
                else
                    others++;
            }
        }
        for (; others > 0; others--)
            yield return RawDocument.Left("", "posts that are neither question nor answer");
        foreach (var posts in folders.ByQuestion())
        {
            if (posts[0].IsAnswer)
            {
                foreach (var _ in posts)
                    yield return RawDocument.Left("", "answers without a question");
                continue;
            }
            yield return new RawDocument($"{posts[0].Id}", posts.Sum(post => (long)post.Body.Length), () => Extract(posts, context));
        }
    }

    private static Post? PostOf(XmlReader xml)
    {
        string type = xml.GetAttribute("PostTypeId") ?? "";
        bool isAnswer = type == "2";
        if (type is not ("1" or "2") || !Number(xml.GetAttribute("Id"), out long id))
            return null;
        long question = id;
        if (isAnswer && !Number(xml.GetAttribute("ParentId"), out question))
            return null;
        Number(xml.GetAttribute("Score"), out long score);
        return new Post(
            question,
            isAnswer,
            score,
            id,
            xml.GetAttribute("CreationDate") ?? "",
            xml.GetAttribute("Title") ?? "",
            xml.GetAttribute("Body") ?? ""
        );
    }

    private static bool Number(string? text, out long number) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);

    private static Extracted Extract(IReadOnlyList<Post> posts, ReadingContext context)
    {
        var question = posts[0];
        var text = new StringBuilder(question.Title.Trim());
        foreach (var post in posts)
        {
            string body = Texts.MarkupText.Extract(post.Body);
            if (body.Length > 0)
                text.Append(text.Length > 0 ? "\n\n" : "").Append(body);
        }
        if (text.Length == 0)
            return Extracted.Left("posts without text");
        return Extracted.Of(
            text.ToString(),
            new DocumentFields(
                context.Kept(FieldNames.Id, $"{question.Id}"),
                Date: context.Kept(FieldNames.Date, question.Date),
                Score: context.Keeps(FieldNames.Score) ? question.Score : null
            )
        );
    }
}
