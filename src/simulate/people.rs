//! Names of people, cities, banks and payers. Banks, companies and shops are invented.

/// A name in Chinese characters, and as it is read in Latin letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) hanzi: &'static str,
    pub(super) latin: &'static str,
}

const fn name(hanzi: &'static str, latin: &'static str) -> Name {
    Name { hanzi, latin }
}

/// The most frequent family names.
pub(super) static FAMILY_NAMES: [Name; 24] = [
    name("王", "Wang"),
    name("李", "Li"),
    name("张", "Zhang"),
    name("刘", "Liu"),
    name("陈", "Chen"),
    name("杨", "Yang"),
    name("黄", "Huang"),
    name("赵", "Zhao"),
    name("吴", "Wu"),
    name("周", "Zhou"),
    name("徐", "Xu"),
    name("孙", "Sun"),
    name("马", "Ma"),
    name("朱", "Zhu"),
    name("胡", "Hu"),
    name("郭", "Guo"),
    name("何", "He"),
    name("林", "Lin"),
    name("罗", "Luo"),
    name("郑", "Zheng"),
    name("梁", "Liang"),
    name("宋", "Song"),
    name("唐", "Tang"),
    name("沈", "Shen"),
];

/// Given names.
pub(super) static GIVEN_NAMES: [Name; 28] = [
    name("伟", "Wei"),
    name("芳", "Fang"),
    name("娜", "Na"),
    name("敏", "Min"),
    name("静", "Jing"),
    name("强", "Qiang"),
    name("磊", "Lei"),
    name("洋", "Yang"),
    name("艳", "Yan"),
    name("勇", "Yong"),
    name("杰", "Jie"),
    name("涛", "Tao"),
    name("明", "Ming"),
    name("超", "Chao"),
    name("秀英", "Xiuying"),
    name("桂英", "Guiying"),
    name("建国", "Jianguo"),
    name("志强", "Zhiqiang"),
    name("海燕", "Haiyan"),
    name("晓东", "Xiaodong"),
    name("雨桐", "Yutong"),
    name("子涵", "Zihan"),
    name("欣怡", "Xinyi"),
    name("浩然", "Haoran"),
    name("思远", "Siyuan"),
    name("佳怡", "Jiayi"),
    name("文博", "Wenbo"),
    name("丽华", "Lihua"),
];

/// Where people live and shop.
pub(super) static CITIES: [(&str, u32); 10] = [
    ("Shanghai", 26),
    ("Beijing", 20),
    ("Shenzhen", 12),
    ("Guangzhou", 10),
    ("Hangzhou", 9),
    ("Chengdu", 8),
    ("Nanjing", 5),
    ("Wuhan", 4),
    ("Xi'an", 3),
    ("Chongqing", 3),
];

/// Other banks: where rivals' cards, payers and money that leaves have their accounts.
pub(super) static OTHER_BANKS: [Name; 5] = [
    name("江畔银行", "Riverside Bank"),
    name("海港银行", "Harbour Bank"),
    name("青禾银行", "Greenfield Bank"),
    name("北辰银行", "Polestar Bank"),
    name("新桥银行", "Newbridge Bank"),
];

/// Employers who pay salaries.
pub(super) static EMPLOYERS: [Name; 6] = [
    name("星河软件", "Galaxy Software"),
    name("长风物流", "Longwind Logistics"),
    name("申江医院", "Shenjiang Hospital"),
    name("第三中学", "No. 3 Middle School"),
    name("锦程汽车", "Jincheng Motors"),
    name("云图设计", "Cloudmap Design"),
];

/// Residential communities; merchants around the first three have contracts (`rules/lib/neighbourhood.rhai`).
pub(super) static COMMUNITIES: [&str; 5] = [
    "Willow Garden",
    "Harbour View",
    "Maple Court",
    "Riverbank",
    "Old Town",
];

/// Hospitals, as they are registered with.
pub(super) static HOSPITALS: [&str; 3] = [
    "Shenjiang Hospital",
    "Eastern Clinic",
    "Children's Hospital",
];

/// Schools that ask for fees.
pub(super) static SCHOOLS: [&str; 3] = [
    "Jianghai University",
    "College of the Arts",
    "No. 3 Middle School",
];

/// Marathons.
pub(super) static RACES: [&str; 4] = [
    "Shanghai Marathon",
    "Beijing Marathon",
    "West Lake Marathon",
    "Wuhan Marathon",
];
