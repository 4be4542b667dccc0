using System.IO.Compression;
using System.Text;
using Uniscale.Corpus.Tests.Importing;

namespace Uniscale.Corpus.Tests.Reading.Web;

public sealed class WarcTests : IDisposable
{
    private const string Tricky = "One page.\r\nWARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 3\r\n\r\nabc\n中文 text\n";

    private readonly ImportFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Each_conversion_record_is_a_document_with_what_its_header_says()
    {
        byte[][] records =
        [
            Record("warcinfo", "Software-Info: x"),
            Wet(Tricky, "https://a.example/1", "zho,eng"),
            Record("metadata", "x"),
            Wet("Second.\n", "https://a.example/2", languages: ""),
            Wet("\n \n", "https://a.example/3", "eng"),
        ];
        foreach (string name in (string[])["CC-MAIN.warc.wet.gz", "unnamed"])
        {
            // A member of gzip a record, as Common Crawl has them; the form shows whatever the name.
            byte[] bytes =
                name == "unnamed"
                    ? [.. records.SelectMany(record => record)]
                    : [.. records.SelectMany(record => ImportFolder.Gzip(record))];
            (var report, var documents) = _folder.Read(_folder.Write(name, bytes));
            Assert.Equal(
                [Tricky.Replace("\r\n", "\n", StringComparison.Ordinal), "Second.\n"],
                documents.Select(document => document.Text)
            );
            Assert.Equal(
                ("https://a.example/1", "zho,eng", "2026-01-01T00:00:00Z", "urn:uuid:1"),
                (documents[0].Url, documents[0].Language, documents[0].Date, documents[0].SourceId)
            );
            Assert.Equal($"{name}:2", documents[0].Source);
            Assert.Null(documents[1].Language); // an empty header says nothing
            Assert.Equal(["records of type metadata", "records without text"], report.LeftOut.Keys);
            Assert.Equal(name == "unnamed" ? "wet" : "gzip wet", Assert.Single(report.Forms).Key);
        }
    }

    [Fact]
    public void A_cut_and_a_damaged_file_are_left_out_and_named()
    {
        byte[] first = Wet("First.\n", "https://a.example/1", "eng"),
            second = Wet("Second.\n", "https://a.example/2", "eng");
        _folder.AssertDamaged("cut.wet", [.. first, .. second[..^9]], "cut within record 2");
        _folder.AssertDamaged("header.wet", [.. first, .. second[..30]], "cut within record 2");
        _folder.AssertDamaged(
            "length.wet",
            [
                .. first,
                .. Encoding.UTF8.GetBytes(
                    Encoding.UTF8.GetString(second).Replace("Content-Length: 8", "Content-Length: 7", StringComparison.Ordinal)
                ),
            ],
            "record 2 is longer than it says"
        );
        byte[] compressed = [.. ImportFolder.Gzip(first), .. ImportFolder.Gzip(second)];
        _folder.AssertDamaged("cut.wet.gz", compressed[..^3], "gzip member is cut");
        // The second member's magic: readers that stop there pass half a file for a whole one.
        compressed[ImportFolder.Gzip(first).Length] ^= 1;
        _folder.AssertDamaged("magic.wet.gz", compressed, "behind a gzip member stands what is none");
    }

    [Fact]
    public void Of_each_response_with_a_page_the_main_text_is_taken()
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        const string page = "<html><head><meta charset=\"utf-8\"></head><body><nav>menu</nav><p>Größe</p></body></html>";
        byte[] plain = Encoding.UTF8.GetBytes(page),
            gb = Encoding.GetEncoding("gb18030").GetBytes("<html><body><p>训练语言模型</p></body></html>");
        byte[] brotli = Brotli(plain),
            chunked =

            [
                .. "1f\r\n"u8,
                .. plain[..31],
                .. "\r\n"u8,
                .. Encoding.ASCII.GetBytes($"{plain.Length - 31:x};x=y\r\n"),
                .. plain[31..],
                .. "\r\n0\r\n\r\n"u8,
            ];
        byte[] file =
        [
            .. Record("warcinfo", "x"),
            .. Record("request", "GET / HTTP/1.1\r\n\r\n"),
            .. Response("200 OK", "Content-Type: text/html", plain),
            .. Response("200 OK", "Content-Type: text/html; charset=GB2312", gb),
            .. Response("200 OK", "Content-Type: text/html\r\nTransfer-Encoding: chunked", chunked),
            .. Response("200 OK", "Content-Type: text/html\r\nContent-Encoding: gzip", ImportFolder.Gzip(plain)),
            .. Response("200 OK", "Content-Type: text/html\r\nContent-Encoding: br", brotli),
            .. Response("404 Not Found", "Content-Type: text/html", plain),
            .. Response("200 OK", "Content-Type: image/png", [1, 2, 3]),
            .. Record("revisit", "HTTP/1.1 200 OK\r\n\r\n"),
            .. Response("200 OK", "Content-Type: text/html\r\nContent-Encoding: gzip", ImportFolder.Gzip(plain)[..^12]),
        ];
        (var report, var documents) = _folder.Read(_folder.Write("crawl.warc.zst", ImportFolder.Zstd(file)));
        Assert.Equal(["Größe", "训练语言模型", "Größe", "Größe", "Größe"], documents.Select(document => document.Text));
        Assert.Equal(
            [
                "1 records of type request",
                "1 records of type revisit",
                "1 responses that are no HTML",
                "1 responses whose body is damaged",
                "1 responses without success",
            ],
            report.LeftOut.Select(entry => $"{entry.Value} {entry.Key}")
        );
        Assert.Equal("zstd warc", Assert.Single(report.Forms).Key);
        _folder.AssertDamaged("cut.warc", file[..^5], "cut within record 11");
    }

    [Fact]
    public void A_text_among_pages_is_decoded_as_texts_alone_are()
    {
        byte[] page = Response(
            "200 OK",
            "Content-Type: text/html",
            Encoding.ASCII.GetBytes($"<html><body><p>{new string('a', 100_000)}</p></body></html>")
        );
        byte[] text = Record(
            "conversion",
            Encoding.Latin1.GetBytes(
                string.Concat(Enumerable.Repeat("Über die Straße gehen müßige Bäcker, die süße Brötchen für die Gäste tragen. ", 20))
            ),
            ""
        );
        (var report, var documents) = _folder.Read(_folder.Write("mixed.warc", [.. page, .. text]));
        Assert.Equal("warc", Assert.Single(report.Forms).Key);
        Assert.All(documents, document => Assert.DoesNotContain('\uFFFD', document.Text));
    }

    private static byte[] Wet(string text, string url, string languages) =>
        Record(
            "conversion",
            text,
            $"WARC-Target-URI: {url}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:1>\r\nWARC-Identified-Content-Language: {languages}\r\nContent-Type: text/plain\r\n"
        );

    private static byte[] Response(string status, string headers, byte[] body) =>
        Record(
            "response",
            [.. Encoding.Latin1.GetBytes($"HTTP/1.1 {status}\r\n{headers}\r\n\r\n"), .. body],
            "Content-Type: application/http; msgtype=response\r\n"
        );

    private static byte[] Record(string type, string block, string headers = "") => Record(type, Encoding.UTF8.GetBytes(block), headers);

    private static byte[] Record(string type, byte[] block, string headers) =>
        [
            .. Encoding.UTF8.GetBytes($"WARC/1.0\r\nWARC-Type: {type}\r\n{headers}Content-Length: {block.Length}\r\n\r\n"),
            .. block,
            .. "\r\n\r\n"u8,
        ];

    private static byte[] Brotli(byte[] bytes)
    {
        var compressed = new MemoryStream();
        using (var stream = new BrotliStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
            stream.Write(bytes);
        return compressed.ToArray();
    }
}
