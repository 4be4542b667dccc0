using System.Net;
using Uniscale.Configuration;
using Uniscale.Dashboard.Safety;
using Uniscale.Dashboard.Tests.Pages;

namespace Uniscale.Dashboard.Tests.Safety;

public sealed class AccessTests : IDisposable
{
    private const string Token = "0123456789abcdef-token";

    private readonly TemporaryFolder _folder = new();

    public AccessTests() => _folder.Write("a/metrics.jsonl", Sample.Run(3));

    public void Dispose() => _folder.Dispose();

    private static async Task<HttpStatusCode> Send(
        ServedRuns served,
        HttpMethod method,
        string address,
        string? host = null,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(method, address);
        if (host is not null)
            request.Headers.Host = host;
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var answer = await served.Client.SendAsync(request);
        return answer.StatusCode;
    }

    [Fact]
    public async Task WithoutATokenItAnswersToThisMachinesNamesAlone()
    {
        await using var served = await ServedRuns.Of(_folder.FullPath);
        Assert.StartsWith("http://127.0.0.1:", served.Client.BaseAddress!.ToString());
        foreach (string own in (string[])["localhost", "localhost:8686", "127.0.0.1", "[::1]:80"])
            Assert.Equal(HttpStatusCode.OK, await Send(served, HttpMethod.Get, "/", own));
        foreach (
            string other in (string[])["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.1", "10.0.0.1:8686"]
        )
            Assert.Equal(HttpStatusCode.MisdirectedRequest, await Send(served, HttpMethod.Get, "/", other));
    }

    [Fact]
    public async Task ATokenIsWantedEverywhere()
    {
        await using var served = await ServedRuns.Of(_folder.FullPath, options => options with { Token = Token, Address = IPAddress.Any });
        var uri = new UriBuilder(served.Client.BaseAddress!) { Host = "127.0.0.1" }.Uri;
        foreach (string address in (string[])["/", "/live?name=loss", "/series", "/assets/plotly.js", "/compare", "/nothing-here"])
            Assert.Equal(HttpStatusCode.Unauthorized, await Send(served, HttpMethod.Get, new Uri(uri, address).ToString()));
        string page = uri.ToString();
        Assert.Equal(HttpStatusCode.Unauthorized, await Send(served, HttpMethod.Get, page, null, ("Authorization", "Bearer wrong")));
        Assert.Equal(HttpStatusCode.Unauthorized, await Send(served, HttpMethod.Get, page + "?token=wrong"));
        Assert.Equal(HttpStatusCode.Unauthorized, await Send(served, HttpMethod.Get, page, null, ("Cookie", "uniscale-dashboard=wrong")));
        Assert.Equal(HttpStatusCode.OK, await Send(served, HttpMethod.Get, page, null, ("Authorization", $"Bearer {Token}")));
        Assert.Equal(HttpStatusCode.OK, await Send(served, HttpMethod.Get, page, null, ("Cookie", $"uniscale-dashboard={Token}")));
        using var shown = await served.Client.GetAsync($"{page}compare?token={Token}&x=tokens");
        Assert.Equal((HttpStatusCode.Redirect, "/compare?x=tokens"), (shown.StatusCode, shown.Headers.Location!.ToString()));
        string cookie = Assert.Single(shown.Headers.GetValues("Set-Cookie"));
        Assert.Contains("httponly", cookie);
        Assert.Contains("samesite=strict", cookie);
    }

    [Fact]
    public async Task BeyondThisMachineATokenMustBeGiven()
    {
        var error = await Assert.ThrowsAsync<UserErrorException>(() =>
            DashboardHost.StartAsync(
                new DashboardOptions
                {
                    Folder = _folder.FullPath,
                    Port = 0,
                    Address = IPAddress.Any,
                }
            )
        );
        Assert.Contains("--token", error.Message);
        await Assert.ThrowsAsync<UserErrorException>(() =>
            DashboardHost.StartAsync(
                new DashboardOptions
                {
                    Folder = _folder.FullPath,
                    Port = 0,
                    Token = "short",
                }
            )
        );
        await Assert.ThrowsAsync<UserErrorException>(() =>
            DashboardHost.StartAsync(new DashboardOptions { Folder = _folder.In("missing"), Port = 0 })
        );
        await using var served = await ServedRuns.Of(_folder.FullPath);
        var taken = await Assert.ThrowsAsync<UserErrorException>(() =>
            DashboardHost.StartAsync(new DashboardOptions { Folder = _folder.FullPath, Port = served.Client.BaseAddress!.Port })
        );
        Assert.Contains("--port", taken.Message);
    }

    [Fact]
    public async Task VariablesAndSettingsFilesDoNotOpenIt()
    {
        string settings = Path.Combine(Directory.GetCurrentDirectory(), "appsettings.json");
        Assert.False(File.Exists(settings));
        File.WriteAllText(
            settings,
            """{ "Kestrel": { "Endpoints": { "Evil": { "Url": "http://0.0.0.0:0" } } }, "urls": "http://0.0.0.0:0" }"""
        );
        Environment.SetEnvironmentVariable("ASPNETCORE_URLS", "http://0.0.0.0:0");
        Environment.SetEnvironmentVariable("Kestrel__Endpoints__X__Url", "http://0.0.0.0:0");
        try
        {
            await using var served = await ServedRuns.Of(_folder.FullPath);
            Assert.Equal("127.0.0.1", served.Client.BaseAddress!.Host);
        }
        finally
        {
            File.Delete(settings);
            Environment.SetEnvironmentVariable("ASPNETCORE_URLS", null);
            Environment.SetEnvironmentVariable("Kestrel__Endpoints__X__Url", null);
        }
    }

    [Fact]
    public async Task RequestsToRunsAreOffByDefaultAndWantTheFormsToken()
    {
        string id = Assert.Single(new RunsFolder(_folder.FullPath).Find()).Id;
        await using (var served = await ServedRuns.Of(_folder.FullPath))
            Assert.Equal(HttpStatusCode.Forbidden, await Post(served, "save"));
        await using (var served = await ServedRuns.Of(_folder.FullPath, options => options with { AllowsRequests = true }))
        {
            Assert.Equal(HttpStatusCode.BadRequest, await Post(served, "save"));
            Assert.Equal(
                HttpStatusCode.Forbidden,
                await Send(served, HttpMethod.Post, $"/run/{id}/request", null, ("Origin", "http://evil.example"))
            );
        }
        Assert.False(File.Exists(_folder.In("a/save")));

        async Task<HttpStatusCode> Post(ServedRuns served, string what)
        {
            using var answer = await served.Client.PostAsync(
                $"/run/{id}/request",
                new FormUrlEncodedContent([KeyValuePair.Create("what", what)])
            );
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task EveryAnswerForbidsForeignScripts()
    {
        await using var served = await ServedRuns.Of(_folder.FullPath);
        foreach (string address in (string[])["/", "/assets/plotly.js", "/series", "/missing"])
        {
            using var answer = await served.Client.GetAsync(address);
            string policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
            Assert.Contains("script-src 'self';", policy);
            Assert.DoesNotContain("unsafe-eval", policy);
            Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
        }
    }
}
