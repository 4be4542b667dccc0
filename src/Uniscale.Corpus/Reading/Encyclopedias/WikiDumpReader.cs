using System.Globalization;
using System.Xml;

namespace Uniscale.Corpus.Reading.Encyclopedias;

/// <summary>
/// A dump of a MediaWiki (pages-articles.xml): of each page of the main namespace that is no redirect, its title and its words.
/// </summary>
internal sealed class WikiDumpReader : IFormReader
{
    private static readonly XmlReaderSettings Settings = new()
    {
        DtdProcessing = DtdProcessing.Prohibit,
        IgnoreComments = true,
        IgnoreProcessingInstructions = true,
        CloseInput = false,
    };

    public string Form => "wiki";

    public static bool Is(ReadOnlySpan<byte> head) => XmlHead.RootIs(head, "mediawiki");

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        using var xml = XmlReader.Create(input.Stream, Settings);
        var site = new WikiSite();
        long number = 0;
        for (bool isThere = xml.Read(); isThere;)
        {
            if (xml.NodeType != XmlNodeType.Element)
            {
                isThere = xml.Read();
                continue;
            }
            switch (xml.LocalName)
            {
                case "mediawiki":
                    site.Language = xml.GetAttribute("xml:lang");
                    isThere = xml.Read();
                    break;
                case "namespace":
                    int key = int.TryParse(
                        xml.GetAttribute("key"),
                        NumberStyles.AllowLeadingSign,
                        CultureInfo.InvariantCulture,
                        out int found
                    )
                        ? found
                        : 0;
                    site.Add(key, xml.ReadElementContentAsString());
                    break;
                case "page":
                    yield return Document(ReadPage(xml), $"{++number}", site, context);
                    isThere = xml.Read();
                    break;
                default:
                    isThere = xml.Read();
                    break;
            }
        }
    }

    private sealed record Page(string Title, string Namespace, string Id, string Date, string Text, bool IsRedirect);

    /// <summary>The page, of which the last revision counts; stands at its end then.</summary>
    private static Page ReadPage(XmlReader xml)
    {
        int depth = xml.Depth;
        var page = new Page("", "0", "", "", "", false);
        if (xml.IsEmptyElement)
            return page;
        xml.Read();
        while (!(xml.NodeType == XmlNodeType.EndElement && xml.Depth == depth))
        {
            if (xml.EOF)
                throw new InvalidDataException("it is cut within a page");
            if (xml.NodeType != XmlNodeType.Element)
            {
                xml.Read();
                continue;
            }
            bool isOfPage = xml.Depth == depth + 1;
            switch (xml.LocalName)
            {
                case "title":
                    page = page with { Title = xml.ReadElementContentAsString() };
                    break;
                case "ns":
                    page = page with { Namespace = xml.ReadElementContentAsString() };
                    break;
                case "id" when isOfPage:
                    page = page with { Id = xml.ReadElementContentAsString() };
                    break;
                case "timestamp":
                    page = page with { Date = xml.ReadElementContentAsString() };
                    break;
                case "text":
                    page = page with { Text = xml.ReadElementContentAsString() };
                    break;
                case "redirect":
                    page = page with { IsRedirect = true };
                    xml.Read();
                    break;
                default:
                    xml.Read();
                    break;
            }
        }
        return page;
    }

    private static RawDocument Document(Page page, string place, WikiSite site, ReadingContext context)
    {
        if (page.Namespace != "0")
            return RawDocument.Left(place, "pages of other namespaces");
        if (page.IsRedirect || page.Text.AsSpan().TrimStart().StartsWith("#redirect", StringComparison.OrdinalIgnoreCase))
            return RawDocument.Left(place, "redirects");
        return new RawDocument(
            place,
            page.Text.Length,
            () =>
            {
                string words = Wikitext.Extract(page.Text, site);
                return words.Length == 0
                    ? Extracted.Left("pages without text")
                    : Extracted.Of(
                        $"{page.Title}\n\n{words}",
                        new DocumentFields(
                            context.Kept(FieldNames.Id, page.Id),
                            null,
                            context.Kept(FieldNames.Language, site.Language),
                            context.Kept(FieldNames.Date, page.Date)
                        )
                    );
            }
        );
    }
}
